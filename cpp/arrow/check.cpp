#include "cpp/arrow/check.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "djfast/unicode.hpp"

namespace djfast::arrow {
namespace {

constexpr int max_depth = 64;
constexpr std::int64_t max_length = std::numeric_limits<std::int64_t>::max() / 64;  // so that sizes in bits do not overflow

/// One byte for each row of an array, 1 where it holds a broken text; empty where none does.
using Marks = std::vector<std::uint8_t>;

/// An array with its type, on the way down from a column.
struct Node {
  const ArrowSchema& schema;
  const ArrowArray& array;
  std::string_view column;  // the one at the top, for messages
  int depth = 0;

  std::string_view format() const noexcept { return schema.format; }
  std::int64_t begin() const noexcept { return array.offset; }
  std::int64_t end() const noexcept { return array.offset + array.length; }
  const std::uint8_t* validity() const noexcept { return static_cast<const std::uint8_t*>(array.buffers[0]); }
  bool is_null(std::int64_t at) const noexcept { return validity() != nullptr && (validity()[at / 8] >> (at % 8) & 1) == 0; }

  [[noreturn]] void fail(const std::string& problem) const {
    throw SchemaError("column '" + std::string{column} + "' is no valid Arrow data: " + problem);
  }
  void require(bool holds, const char* problem) const {
    if (!holds) fail(problem);
  }
  Node child(std::int64_t number) const {
    return {*schema.children[number], *array.children[number], column, depth + 1};
  }
};

/// The value at an index of a buffer, which need not be aligned.
template <class Value>
Value value_at(const void* buffer, std::int64_t index) noexcept {
  Value value;
  std::memcpy(&value, static_cast<const char*>(buffer) + index * static_cast<std::int64_t>(sizeof value), sizeof value);
  return value;
}

Marks check(const Node& node);

/// What all layouts have in common. `buffers` and `children` are how many there must be.
void check_shape(const Node& node, std::int64_t buffers, std::int64_t children) {
  const auto& [schema, array, column, depth] = node;
  node.require(array.n_buffers == buffers, "it has another number of buffers than its type");
  node.require(buffers == 0 || array.buffers != nullptr, "its buffers are missing");
  node.require(schema.n_children == children && array.n_children == children, "it has another number of children than its type");
  node.require(children == 0 || (schema.children != nullptr && array.children != nullptr), "its children are missing");
  for (std::int64_t i = 0; i < children; ++i) {
    node.require(schema.children[i] != nullptr && array.children[i] != nullptr, "a child is missing");
  }
}

std::int64_t ones(const std::uint8_t* bits, std::int64_t begin, std::int64_t end) noexcept {
  std::int64_t count = 0;
  for (; begin < end && begin % 8 != 0; ++begin) count += bits[begin / 8] >> (begin % 8) & 1;
  for (; end - begin >= 64; begin += 64) count += std::popcount(value_at<std::uint64_t>(bits + begin / 8, 0));
  for (; begin < end; ++begin) count += bits[begin / 8] >> (begin % 8) & 1;
  return count;
}

std::int64_t nulls_of(const Node& node) noexcept {
  return node.validity() == nullptr ? 0 : node.array.length - ones(node.validity(), node.begin(), node.end());
}

/// Which rows are null: the count must be that of the bits.
void check_validity(const Node& node) {
  const std::int64_t claimed = node.array.null_count;
  node.require(node.validity() != nullptr || claimed <= 0, "it has nulls but no bitmap that tells which");
  node.require(claimed < 0 || claimed == nulls_of(node), "its number of nulls is not that of its bitmap");
}

bool is_valid_text(std::string_view text) noexcept { return text.empty() || unicode::is_valid_utf8(text); }

void mark(Marks& marks, const Node& node, std::int64_t at) {
  if (marks.empty()) marks.resize(static_cast<std::size_t>(node.array.length));
  marks[static_cast<std::size_t>(at - node.begin())] = 1;
}

template <class Offset>
void check_offsets(const Node& node, const void* offsets) {
  if (offsets == nullptr) return node.require(node.array.length == 0, "its offsets are missing");
  bool is_ascending = value_at<Offset>(offsets, node.begin()) >= 0;
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    is_ascending &= value_at<Offset>(offsets, at) <= value_at<Offset>(offsets, at + 1);
  }
  node.require(is_ascending, "its offsets do not ascend from 0");
}

/// Texts and bytes laid end to end, as most columns are.
template <class Offset>
class Runs {
 public:
  explicit Runs(const Node& node) : node_(node), offsets_(nullptr), bytes_(nullptr) {
    check_shape(node, 3, 0);
    check_validity(node);
    offsets_ = node.array.buffers[1];
    bytes_ = static_cast<const char*>(node.array.buffers[2]);
    check_offsets<Offset>(node, offsets_);
    const bool has_bytes = offsets_ != nullptr && value_at<Offset>(offsets_, node.end()) != 0;  // even if no row shows them
    node.require(bytes_ != nullptr || !has_bytes, "its bytes are missing");
  }

  std::string_view operator[](std::int64_t at) const noexcept { return between(at, at + 1); }

  /// Whether all rows are valid UTF-8, nulls included: what is valid as a whole, and cut only where a code point starts.
  bool is_valid_at_once() const noexcept {
    const std::string_view whole = all();
    if (!is_valid_text(whole)) return false;
    if (whole.empty()) return true;
    const auto first = value_at<Offset>(offsets_, node_.begin());
    const auto last = value_at<Offset>(offsets_, node_.end());
    bool is_cut = false;
    for (std::int64_t at = node_.begin(); at < node_.end(); ++at) {
      const auto start = value_at<Offset>(offsets_, at);
      is_cut |= (bytes_[start < last ? start : first] & 0xC0) == 0x80;
    }
    return !is_cut;
  }

 private:
  std::string_view all() const noexcept {
    return offsets_ == nullptr ? std::string_view{} : between(node_.begin(), node_.end());
  }
  std::string_view between(std::int64_t from, std::int64_t to) const noexcept {
    const auto first = value_at<Offset>(offsets_, from);
    return {bytes_ + first, static_cast<std::size_t>(value_at<Offset>(offsets_, to) - first)};
  }

  const Node& node_;
  const void* offsets_;
  const char* bytes_;
};

/// Texts and bytes that views point to: short ones lie in the view itself.
class Views {
 public:
  explicit Views(const Node& node) : node_(node), sizes_(nullptr) {
    check_shape(node, std::max<std::int64_t>(node.array.n_buffers, 3), 0);
    check_validity(node);
    sizes_ = node.array.buffers[node.array.n_buffers - 1];
    node.require(buffers() == 0 || sizes_ != nullptr, "the sizes of its buffers are missing");
    node.require(views() != nullptr || node.end() == 0, "its views are missing");
    for (std::int64_t at = node.begin(); at < node.end(); ++at) {
      if (!node.is_null(at)) check_view(at);
    }
  }

  std::string_view operator[](std::int64_t at) const noexcept {
    const auto size = static_cast<std::size_t>(value_at<std::int32_t>(views(), 4 * at));
    if (size <= inlined) return {views() + 16 * at + 4, size};
    return {buffer(value_at<std::int32_t>(views(), 4 * at + 2)) + value_at<std::int32_t>(views(), 4 * at + 3), size};
  }

  bool is_valid_at_once() const noexcept { return false; }

 private:
  static constexpr std::size_t inlined = 12;

  std::int64_t buffers() const noexcept { return node_.array.n_buffers - 3; }
  const char* views() const noexcept { return static_cast<const char*>(node_.array.buffers[1]); }
  const char* buffer(std::int64_t number) const noexcept { return static_cast<const char*>(node_.array.buffers[2 + number]); }

  void check_view(std::int64_t at) const {
    const std::int64_t size = value_at<std::int32_t>(views(), 4 * at);
    node_.require(size >= 0, "the size of a view is negative");
    if (size <= static_cast<std::int64_t>(inlined)) {
      const char* text = views() + 16 * at + 4;
      return node_.require(std::all_of(text + size, text + inlined, [](char c) { return c == 0; }), "a short view ends in no zeros");
    }
    const auto number = value_at<std::int32_t>(views(), 4 * at + 2);
    const std::int64_t start = value_at<std::int32_t>(views(), 4 * at + 3);
    node_.require(number >= 0 && number < buffers(), "a view points into a buffer that is not there");
    node_.require(buffer(number) != nullptr, "a view points into a buffer that is missing");
    node_.require(start >= 0 && start + size <= value_at<std::int64_t>(sizes_, number), "a view points outside its buffer");
    node_.require(std::memcmp(buffer(number) + start, views() + 16 * at + 4, 4) == 0, "a view begins with other bytes than its text");
  }

  const Node& node_;
  const void* sizes_;
};

template <class Values>
Marks check_texts(const Node& node, const Values& values) {
  Marks marks;
  if (values.is_valid_at_once()) return marks;
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    if (!node.is_null(at) && !is_valid_text(values[at])) mark(marks, node, at);
  }
  return marks;
}

/// Marks the rows of `node` of which some element is marked; `elements_of(at)` says from where to where these are, counted
/// in rows of the child.
template <class ElementsOf>
Marks marks_of_lists(const Node& node, const Marks& inner, ElementsOf elements_of) {
  Marks marks;
  if (inner.empty()) return marks;
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    if (node.is_null(at)) continue;
    const auto [from, to] = elements_of(at);
    if (std::find(inner.begin() + from, inner.begin() + to, 1) != inner.begin() + to) mark(marks, node, at);
  }
  return marks;
}

struct Elements {
  std::int64_t from;
  std::int64_t to;
};

template <class Offset>
Marks check_list(const Node& node) {
  check_shape(node, 2, 1);
  check_validity(node);
  const void* offsets = node.array.buffers[1];
  check_offsets<Offset>(node, offsets);
  const Node child = node.child(0);
  const Marks inner = check(child);
  if (offsets == nullptr) return {};
  node.require(value_at<Offset>(offsets, node.end()) <= child.array.length, "its lists reach past their elements");
  return marks_of_lists(node, inner, [&](std::int64_t at) {
    return Elements{value_at<Offset>(offsets, at), value_at<Offset>(offsets, at + 1)};
  });
}

/// A list of structs of keys, which are never null, and values.
Marks check_map(const Node& node) {
  Marks marks = check_list<std::int32_t>(node);
  const Node entries = node.child(0);
  node.require(entries.format() == "+s" && entries.schema.n_children == 2, "its map has other entries than keys and values");
  node.require(nulls_of(entries) == 0, "an entry of its map is null");
  const Node keys = entries.child(0);
  node.require(keys.format() != "n" && (keys.array.n_buffers == 0 || keys.format().starts_with("+u") || nulls_of(keys) == 0),
               "a key of its map is null");
  return marks;
}

template <class Offset>
Marks check_list_view(const Node& node) {
  check_shape(node, 3, 1);
  check_validity(node);
  const void* offsets = node.array.buffers[1];
  const void* sizes = node.array.buffers[2];
  node.require((offsets != nullptr && sizes != nullptr) || node.end() == 0, "its offsets or sizes are missing");
  const Node child = node.child(0);
  const Marks inner = check(child);
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    const std::int64_t from = value_at<Offset>(offsets, at);
    const std::int64_t size = value_at<Offset>(sizes, at);
    node.require(from >= 0 && size >= 0 && from <= child.array.length && size <= child.array.length - from,
                 "its lists reach past their elements");
  }
  return marks_of_lists(node, inner, [&](std::int64_t at) {
    const std::int64_t from = value_at<Offset>(offsets, at);
    return Elements{from, from + static_cast<std::int64_t>(value_at<Offset>(sizes, at))};
  });
}

Marks check_fixed_list(const Node& node) {
  check_shape(node, 1, 1);
  check_validity(node);
  std::int64_t width = -1;
  const std::string_view digits = node.format().substr(3);
  std::from_chars(digits.data(), digits.data() + digits.size(), width);
  const Node child = node.child(0);
  const Marks inner = check(child);
  node.require(width >= 0 && (node.end() == 0 || width <= child.array.length / node.end()), "its lists reach past their elements");
  return marks_of_lists(node, inner, [&](std::int64_t at) { return Elements{at * width, (at + 1) * width}; });
}

Marks check_struct(const Node& node) {
  check_shape(node, 1, node.array.n_children);
  check_validity(node);
  Marks marks;
  for (std::int64_t number = 0; number < node.array.n_children; ++number) {
    const Node child = node.child(number);
    const Marks inner = check(child);
    node.require(child.array.length >= node.end(), "a field of its structs has too few rows");
    for (std::int64_t at = node.begin(); !inner.empty() && at < node.end(); ++at) {
      if (inner[static_cast<std::size_t>(at)] != 0 && !node.is_null(at)) mark(marks, node, at);
    }
  }
  return marks;
}

Marks check_union(const Node& node) {
  const bool is_dense = node.format()[2] == 'd';
  check_shape(node, is_dense ? 2 : 1, node.array.n_children);
  node.require(node.array.null_count <= 0, "a union has no nulls of its own");
  constexpr std::int64_t none = -1;
  std::vector<std::int64_t> child_of(128, none);
  std::int64_t count = 0;
  for (std::string_view rest = node.format().substr(4); !rest.empty(); ++count) {
    int id = -1;
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), id);
    node.require(parsed.ec == std::errc{} && id >= 0 && id < 128, "the types of its union are not numbered");
    child_of[static_cast<std::size_t>(id)] = count;
    rest.remove_prefix(std::min(static_cast<std::size_t>(parsed.ptr - rest.data()) + 1, rest.size()));
  }
  node.require(count == node.array.n_children, "it has another number of children than its type");
  const void* ids = node.array.buffers[0];
  node.require(node.end() == 0 || (ids != nullptr && (!is_dense || node.array.buffers[1] != nullptr)), "its types are missing");
  std::vector<Marks> inner;
  for (std::int64_t number = 0; number < count; ++number) {
    const Node child = node.child(number);
    inner.push_back(check(child));
    node.require(is_dense || child.array.length >= node.end(), "a child of its union has too few rows");
  }
  Marks marks;
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    const auto id = value_at<std::int8_t>(ids, at);
    const std::int64_t number = id < 0 ? none : child_of[static_cast<std::size_t>(id)];
    node.require(number != none, "a row of its union has a type that is not there");
    const std::int64_t place = is_dense ? value_at<std::int32_t>(node.array.buffers[1], at) : at;
    node.require(place >= 0 && place < node.array.children[number]->length, "a row of its union reaches past its values");
    const Marks& broken = inner[static_cast<std::size_t>(number)];
    if (!broken.empty() && broken[static_cast<std::size_t>(place)] != 0) mark(marks, node, at);
  }
  return marks;
}

template <class End>
Marks check_runs(const Node& node, const Node& ends, const Node& values) {
  const void* buffer = ends.array.buffers[1];
  std::int64_t before = 0;
  for (std::int64_t run = ends.begin(); run < ends.end(); ++run) {
    const std::int64_t end = value_at<End>(buffer, run);
    node.require(end > before, "the ends of its runs do not ascend");
    before = end;
  }
  node.require(before >= node.end(), "its runs end before its rows do");
  const Marks inner = check(values);
  node.require(values.array.length >= ends.array.length, "it has fewer values than runs");
  Marks marks;
  std::int64_t run = 0;
  for (std::int64_t at = node.begin(); !inner.empty() && at < node.end(); ++at) {
    while (value_at<End>(buffer, ends.begin() + run) <= at) ++run;
    if (inner[static_cast<std::size_t>(run)] != 0) mark(marks, node, at);
  }
  return marks;
}

Marks check_run_ends(const Node& node) {
  check_shape(node, 0, 2);
  const Node ends = node.child(0);
  const std::string_view type = ends.schema.format == nullptr ? std::string_view{} : ends.format();
  node.require(type == "s" || type == "i" || type == "l", "the ends of its runs are no integers");
  check(ends);
  node.require(ends.array.null_count <= 0 && ends.validity() == nullptr, "the ends of its runs have nulls");
  if (type == "s") return check_runs<std::int16_t>(node, ends, node.child(1));
  if (type == "i") return check_runs<std::int32_t>(node, ends, node.child(1));
  return check_runs<std::int64_t>(node, ends, node.child(1));
}

template <class Index>
Marks check_indices(const Node& node) {
  node.require(node.array.dictionary != nullptr, "its dictionary is missing");
  const Node dictionary{*node.schema.dictionary, *node.array.dictionary, node.column, node.depth + 1};
  const Marks inner = check(dictionary);
  const auto size = static_cast<std::uint64_t>(dictionary.array.length);
  Marks marks;
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    if (node.is_null(at)) continue;
    // A negative index is too large as an unsigned one.
    const auto index = static_cast<std::uint64_t>(static_cast<std::int64_t>(value_at<Index>(node.array.buffers[1], at)));
    node.require(index < size, "an index is not one of its dictionary");
    if (!inner.empty() && inner[index] != 0) mark(marks, node, at);
  }
  return marks;
}

Marks check_dictionary(const Node& node) {
  check_shape(node, 2, 0);
  check_validity(node);
  node.require(node.end() == 0 || node.array.buffers[1] != nullptr, "its indices are missing");
  switch (node.format().size() == 1 ? node.format()[0] : '\0') {
    case 'c': return check_indices<std::int8_t>(node);
    case 'C': return check_indices<std::uint8_t>(node);
    case 's': return check_indices<std::int16_t>(node);
    case 'S': return check_indices<std::uint16_t>(node);
    case 'i': return check_indices<std::int32_t>(node);
    case 'I': return check_indices<std::uint32_t>(node);
    case 'l': return check_indices<std::int64_t>(node);
    case 'L': return check_indices<std::uint64_t>(node);
    default: node.fail("the indices of its dictionary are no integers");
  }
}

/// Numbers, times and bytes of one width.
Marks check_fixed_width(const Node& node) {
  check_shape(node, 2, 0);
  check_validity(node);
  node.require(node.end() == 0 || node.array.buffers[1] != nullptr || node.format() == "w:0", "its values are missing");
  return {};
}

Marks check_null(const Node& node) {
  check_shape(node, node.array.n_buffers == 1 ? 1 : 0, 0);  // some producers name a bitmap, which is not looked at
  return {};
}

bool is_fixed_width(std::string_view format) noexcept {
  constexpr std::string_view numbers = "bcCsSiIlLefg";
  return (format.size() == 1 && numbers.find(format[0]) != std::string_view::npos) || format.starts_with("w:") ||
         format.starts_with("d:") || (format.size() > 1 && format[0] == 't');
}

template <class Values>
Marks check_bytes(const Node& node) {
  const Values checked{node};
  return {};
}

/// What must hold before anything else of an array is looked at.
void check_header(const Node& node) {
  const auto& [schema, array, column, depth] = node;
  node.require(depth <= max_depth, "it is nested too deeply");
  node.require(schema.format != nullptr && schema.release != nullptr && array.release != nullptr, "it has been released");
  node.require(array.length >= 0 && array.offset >= 0 && array.length <= max_length && array.offset <= max_length,
               "its length or offset is out of range");
  node.require(array.null_count >= -1 && array.null_count <= array.length, "its number of nulls is out of range");
}

Marks check(const Node& node) {
  check_header(node);
  const std::string_view format = node.format();
  if (node.schema.dictionary != nullptr) return check_dictionary(node);
  if (format == "n") return check_null(node);
  if (format == "u") return check_texts(node, Runs<std::int32_t>{node});
  if (format == "U") return check_texts(node, Runs<std::int64_t>{node});
  if (format == "vu") return check_texts(node, Views{node});
  if (format == "z") return check_bytes<Runs<std::int32_t>>(node);
  if (format == "Z") return check_bytes<Runs<std::int64_t>>(node);
  if (format == "vz") return check_bytes<Views>(node);
  if (is_fixed_width(format)) return check_fixed_width(node);
  if (format == "+s") return check_struct(node);
  if (format == "+l") return check_list<std::int32_t>(node);
  if (format == "+m") return check_map(node);
  if (format == "+L") return check_list<std::int64_t>(node);
  if (format == "+vl") return check_list_view<std::int32_t>(node);
  if (format == "+vL") return check_list_view<std::int64_t>(node);
  if (format.starts_with("+w:")) return check_fixed_list(node);
  if (format.starts_with("+us:") || format.starts_with("+ud:")) return check_union(node);
  if (format == "+r") return check_run_ends(node);
  node.fail("its type is not known, got format " + std::string{format});
}

template <class Values>
Texts views_of(const Node& node, const Values& values, RowErrors& errors) {
  Texts texts(static_cast<std::size_t>(node.array.length));
  const bool is_valid = values.is_valid_at_once();
  for (std::int64_t at = node.begin(); at < node.end(); ++at) {
    if (node.is_null(at)) continue;
    const auto row = static_cast<std::uint32_t>(at - node.begin());
    const std::string_view text = values[at];
    if (is_valid || is_valid_text(text)) {
      texts[row] = text;
    } else {
      errors.add(row, "not valid UTF-8");
    }
  }
  return texts;
}

std::string_view name_of(const ArrowSchema& schema) noexcept { return schema.name == nullptr ? "" : schema.name; }

/// Types and names, before anybody imports them.
void check_schema(const ArrowSchema& schema, int depth) {
  const auto require = [](bool holds, const char* problem) {
    if (!holds) throw SchemaError(std::string{"the types of the data are no valid Arrow schema: "} + problem);
  };
  require(depth <= max_depth, "they are nested too deeply");
  require(schema.format != nullptr && schema.release != nullptr, "it has been released");
  require(is_valid_text(schema.format) && is_valid_text(name_of(schema)), "a name is not valid UTF-8");
  require(schema.n_children >= 0 && (schema.n_children == 0 || schema.children != nullptr), "children are missing");
  for (std::int64_t number = 0; number < schema.n_children; ++number) {
    require(schema.children[number] != nullptr, "a child is missing");
    check_schema(*schema.children[number], depth + 1);
  }
  if (schema.dictionary != nullptr) check_schema(*schema.dictionary, depth + 1);
}

/// A stream and what is needed to check its batches.
struct CheckedStream {
  ArrowArrayStream source{};
  ArrowSchema schema{};
  std::string problem;

  CheckedStream() = default;
  CheckedStream(const CheckedStream&) = delete;
  CheckedStream& operator=(const CheckedStream&) = delete;
  ~CheckedStream() {
    if (schema.release != nullptr) schema.release(&schema);
    if (source.release != nullptr) source.release(&source);
  }

  static CheckedStream& of(ArrowArrayStream* stream) noexcept { return *static_cast<CheckedStream*>(stream->private_data); }

  static int get_schema(ArrowArrayStream* stream, ArrowSchema* out) noexcept {
    CheckedStream& self = of(stream);
    return self.checked(self.source.get_schema(&self.source, out), out, [&] { check_schema(*out, 0); });
  }

  static int get_next(ArrowArrayStream* stream, ArrowArray* out) noexcept {
    CheckedStream& self = of(stream);
    if (self.schema.release == nullptr) {
      if (const int failed = get_schema(stream, &self.schema); failed != 0) return failed;
    }
    const int failed = self.source.get_next(&self.source, out);
    if (failed == 0 && out->release == nullptr) return 0;  // the end
    return self.checked(failed, out, [&] { check_batch(self.schema, *out); });
  }

  static const char* get_last_error(ArrowArrayStream* stream) noexcept {
    CheckedStream& self = of(stream);
    return self.problem.empty() ? self.source.get_last_error(&self.source) : self.problem.c_str();
  }

  static void release(ArrowArrayStream* stream) noexcept {
    const std::unique_ptr<CheckedStream> dying{&of(stream)};
    stream->release = nullptr;
  }

 private:
  /// `failed`, or EINVAL where the check of what came throws. Nothing may be thrown through C.
  template <class Struct, class Check>
  int checked(int failed, Struct* out, Check check_it) noexcept {
    problem.clear();
    if (failed != 0) return failed;
    try {
      check_it();
      return 0;
    } catch (const std::exception& error) {
      problem = error.what();
      if (out->release != nullptr) out->release(out);
      return EINVAL;
    }
  }
};

}  // namespace

RowErrors check_batch(const ArrowSchema& schema, const ArrowArray& array) {
  check_schema(schema, 0);
  const Node whole{schema, array, ""};
  check_header(whole);
  if (whole.format() != "+s") throw SchemaError("the data must be a table, got Arrow format " + std::string{whole.format()});
  check_shape(whole, 1, array.n_children);
  check_validity(whole);
  RowErrors errors;
  for (std::int64_t number = 0; number < array.n_children; ++number) {
    const Node column{*schema.children[number], *array.children[number], name_of(*schema.children[number]), 1};
    const Marks marks = check(column);
    column.require(column.array.length >= whole.end(), "it has too few rows");
    for (std::int64_t at = whole.begin(); !marks.empty() && at < whole.end(); ++at) {
      if (marks[static_cast<std::size_t>(at)] == 0 || whole.is_null(at)) continue;
      errors.add(static_cast<std::uint32_t>(at - whole.begin()), "column '" + std::string{column.column} + "' is not valid UTF-8");
    }
  }
  return errors;
}

Texts texts_of(const ArrowSchema& schema, const ArrowArray& array, std::size_t row_count, RowErrors& errors) {
  const Node node{schema, array, name_of(schema)};
  check_header(node);
  node.require(static_cast<std::size_t>(array.length) == row_count, "it has another number of rows than its batch");
  const std::string_view format = node.format();
  if (schema.dictionary == nullptr && format == "u") return views_of(node, Runs<std::int32_t>{node}, errors);
  if (schema.dictionary == nullptr && format == "U") return views_of(node, Runs<std::int64_t>{node}, errors);
  if (schema.dictionary == nullptr && format == "vu") return views_of(node, Views{node}, errors);
  throw SchemaError("a text column must be of Arrow type utf8, large_utf8 or utf8_view, got format " + std::string{format});
}

void check_stream(ArrowArrayStream& source, ArrowArrayStream& checked) {
  auto stream = std::make_unique<CheckedStream>();
  stream->source = std::exchange(source, {});
  checked = {.get_schema = &CheckedStream::get_schema,
             .get_next = &CheckedStream::get_next,
             .get_last_error = &CheckedStream::get_last_error,
             .release = &CheckedStream::release,
             .private_data = stream.release()};
}

}  // namespace djfast::arrow
