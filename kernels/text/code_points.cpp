#include "kernels/text/code_points.hpp"

namespace djfast::kernels::text {

#include "tables/unicode.inc"

}  // namespace djfast::kernels::text
