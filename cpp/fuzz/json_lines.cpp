// Fuzzes the JSON Lines reader and writer: all instruction sets must agree, and edited lines must read as edited.
// A libFuzzer target; without libFuzzer it runs random mutations of its own for as many seconds as it is told.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "djfast/json_lines.hpp"
#include "djfast/unicode.hpp"
#include "kernels/dispatch.hpp"

namespace {

using namespace djfast;

constexpr kernels::Isa all_isas[] = {kernels::Isa::serial, kernels::Isa::avx2, kernels::Isa::avx512};

const std::vector<std::string> paths = {"text", "meta", "meta.a", "a.b", "b", ""};

void require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", claim);
  std::abort();
}

/// What a read gave, as one text, so that two reads can be compared.
std::string describe(const json::Lines& read) {
  std::string all = std::to_string(read.line_count);
  for (std::size_t row = 0; row < read.lines.size(); ++row) {
    (all += '\n').append(read.lines[row]) += '#' + std::to_string(read.numbers[row]);
    for (const auto& column : read.fields) {
      const json::Field& field = column[row];
      all += '|' + std::to_string(static_cast<int>(field.kind)) + (field.is_repeated ? "+" : "");
      all.append(field.raw).append(field.member).append(field.text);
    }
  }
  for (const auto& [row, reason] : read.errors.entries()) all += '\n' + std::to_string(row) + reason;
  return all;
}

json::Lines read_again(const std::string& line, Arena& arena) {
  json::Lines read = json::read_lines(line, paths, arena);
  require(read.errors.empty(), "an edited line is valid");
  require(read.lines.size() == 1, "an edited line is one line");
  return read;
}

/// Replaces, removes and adds `path` in a valid line.
void edit(std::string_view line, std::size_t path, const json::Field& field, Arena& arena) {
  std::string same;
  json::append_line(same, line, {});
  require(same == line, "a line without changes stays");

  std::string value;
  json::append_text(value, field.kind == json::Kind::text ? field.text : std::string_view{"new\n\x01"});
  const json::Change replacement{.field = &field, .name = paths[path], .value = value};
  std::string replaced;
  json::append_line(replaced, line, {&replacement, 1});
  const auto replaced_field = read_again(replaced, arena).fields[path][0];
  require(replaced_field.kind == json::Kind::text && replaced_field.raw == value, "a new value is found again");
  if (field.kind == json::Kind::text) require(replaced_field.text == field.text, "a text survives writing and reading");

  const json::Change removal{.field = &field, .name = paths[path], .value = {}};
  std::string removed;
  json::append_line(removed, line, {&removal, 1});
  const auto left = read_again(removed, arena).fields[path][0];
  // When a whole name goes, the path may still lead inwards.
  if (paths[path].find('.') == std::string::npos) require(left.kind == json::Kind::missing, "a removed field is gone");

  if (field.kind == json::Kind::object) {
    const json::Field member = json::find_member(field.raw, "a", arena);
    require(member.kind == json::Kind::missing || field.raw.find(member.raw) != std::string_view::npos,
            "a member stands in its object");
  }
}

void check(std::string_view block) {
  std::string expected;
  for (const auto isa : all_isas) {
    kernels::force_isa(isa);
    Arena arena;
    const json::Lines read = json::read_lines(block, paths, arena);
    require(json::complete_lines(block) <= block.size(), "complete lines lie in the block");
    const std::string description = describe(read);
    if (isa == all_isas[0]) expected = description;
    require(description == expected, "all instruction sets read the same");
    std::vector<bool> is_broken(read.lines.size());
    for (const auto& entry : read.errors.entries()) is_broken[entry.row] = true;
    for (std::size_t row = 0; row < read.lines.size(); ++row) {
      for (std::size_t path = 0; path < paths.size() && !is_broken[row]; ++path) {
        edit(read.lines[row], path, read.fields[path][row], arena);
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that a sanitizer sees a read past its end.
  const std::unique_ptr<char[]> block(new char[size]);
  if (size != 0) std::memcpy(block.get(), data, size);
  check({block.get(), size});
  return 0;
}

#ifndef DJFAST_LIBFUZZER
namespace {

using Random = std::mt19937_64;

const std::vector<std::string> seeds = {
    R"({"text": "some text, long enough to fill more than one block of the kernels\n\n\t\"quoted\" \\ \/", )"
    R"("meta": {"a": 1}})",
    R"({"id": 12, "te\u0078t": "\u4e2d\ud83d\ude00\u0000", "a": {"b": [1, 2.5e-3, -0, true, null, "x"]}, "b": {}})",
    R"({"a.b": NaN, "a": {"b": -Infinity}, "a": {"b": 1, "b": 2}, "": "", "meta": [[[]], {}, ""]})",
    "{ \"text\" : \"\xE4\xB8\xAD\xC3\xA4\xF0\x9F\x98\x80\" , \"b\" : 1.0 }\r\n\n \t\n{}",
    R"({"text": ")" + std::string(156, '\\') + R"(", "b": "\ud800"})",
};

const std::vector<std::string> pieces = {
    "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\n", "\r\n", "\\n", "\\u",
    "\\u00e4", "\\ud83d", "\\udE00", "\\\\", "\\\"",
    "true", "null", "NaN", "-", ".", "e", "0", "9", "\"text\":", "\"a\":",
    "\xFF", "\xC3\xA4", "\xED\xA0\x80", "\xEF\xBB\xBF",
    std::string(1, '\0'), std::string(70, 'x'), std::string(600, '['), std::string(130, '\\'),
};

std::string mutate(std::string block, Random& random) {
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  for (std::size_t rounds = below(6); rounds > 0; --rounds) {
    const std::size_t at = below(block.size() + 1);
    switch (below(6)) {
      case 0: block.insert(at, pieces[below(pieces.size())]); break;
      case 1: block.erase(at, below(8)); break;
      case 2: block.insert(at, seeds[below(seeds.size())]); break;
      case 3: block.insert(at, block.substr(below(block.size() + 1), below(80))); break;
      case 4: block.resize(at); break;
      default:
        if (at < block.size()) block[at] = static_cast<char>(block[at] ^ (1 << below(8)));
    }
  }
  return block;
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 60;
  Random random(argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1);
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::string> corpus = seeds;
  std::size_t runs = 0;
  while (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() < seconds) {
    std::string block = mutate(corpus[random() % corpus.size()], random);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(block.data()), block.size());
    ++runs;
    if (block.size() > 4000 || random() % 8 != 0) continue;
    if (corpus.size() < 500) {
      corpus.push_back(std::move(block));
    } else {
      corpus[seeds.size() + random() % (corpus.size() - seeds.size())] = std::move(block);
    }
  }
  std::printf("%zu blocks, no failure\n", runs);
}
#endif
