#include "djfast/program.hpp"

#include <chrono>
#include <utility>

#include "djfast/scratch.hpp"

namespace djfast {

void Program::run(Batch& batch) const {
  std::vector<const Column*> arguments;
  for (const Step& step : steps_) {
    const auto started = std::chrono::steady_clock::now();
    batch.begin(step.op);
    const auto rows_in = static_cast<std::uint32_t>(batch.alive().size());
    if (step.function) {
      arguments.clear();
      for (const std::size_t slot : step.arguments) arguments.push_back(batch.pointer(slot));
      step.spec->check(arguments, batch.row_count());
      RowErrors errors;
      batch.set_column(step.slot, step.function->run({.arguments = arguments,
                                                      .rows = batch.alive(),
                                                      .row_count = batch.row_count(),
                                                      .arena = batch.arena(),
                                                      .errors = errors}));
      batch.reject(std::move(errors), step.op);
    } else {
      batch.keep(std::get<Booleans>(batch.column(step.slot)));
    }
    const auto elapsed = std::chrono::steady_clock::now() - started;
    batch.count({step.op, rows_in, static_cast<std::uint32_t>(batch.alive().size()),
                 std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()});
    ThreadMemory::release_large();
  }
}

}  // namespace djfast
