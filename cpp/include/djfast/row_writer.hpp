// Alive rows of a JSON batch, written back as lines.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "djfast/batch.hpp"

namespace djfast {

/// What the lines of a batch look like when they are written.
struct RowLayout {
  struct Value {
    std::int32_t field;  // index of the path that was read, -1 for a new field
    std::string name;    // key of a new field
    std::size_t slot;    // column with the values
    bool is_json;        // the values are JSON; an empty one leaves the field as it is
  };
  struct Stat {
    std::string name;
    std::size_t slot;
    bool is_json;  // as for values; an empty one is left out
  };
  std::vector<Value> values;         // fields that OPs assigned
  std::vector<Stat> stats;           // stats that OPs computed, in order
  std::vector<Stat> tags;            // what OPs said about rows in their meta, in order
  std::int32_t stats_field = -1;     // path of `__dj__stats__`
  std::int32_t meta_field = -1;      // path of `__dj__meta__`
  std::vector<std::int32_t> dropped; // paths of fields that leave the rows
  bool embeds_stats = false;         // stats and meta stay in the rows
  bool has_side_lines = false;       // stats and meta go to lines of their own as well
};

/// Lines, each with its line feed; line i is bytes [ends[i-1], ends[i]).
struct WrittenLines {
  std::string bytes;
  std::vector<std::uint64_t> ends;
};

struct WrittenRows {
  WrittenLines rows;
  WrittenLines side;  // `{"__dj__stats__": ..., "__dj__meta__": ...}` per row, when the layout asks for it
};

WrittenRows write_rows(const Batch& batch, const RowLayout& layout);

/// The JSON object of the stats of one row: the computed ones and what the row brought along; empty when there is none.
std::string stats_object(const Batch& batch, const RowLayout& layout, std::uint32_t row);

}  // namespace djfast
