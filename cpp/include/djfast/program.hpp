// A fused chain of native functions and conditions over one batch.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "djfast/batch.hpp"
#include "djfast/function.hpp"

namespace djfast {

/// One step of a program. With a function: computes `slot` from `arguments`. Without: keeps the rows where `slot` is true.
struct Step {
  const FunctionSpec* spec;  // of the function
  std::unique_ptr<Function> function;
  std::vector<std::size_t> arguments;
  std::size_t slot;
  std::int32_t op;
};

/// Steps that run one after the other on the rows still alive: a row that is dropped early costs nothing later.
/// A program is immutable and serves all threads.
class Program {
 public:
  explicit Program(std::vector<Step> steps) : steps_(std::move(steps)) {}
  void run(Batch& batch) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace djfast
