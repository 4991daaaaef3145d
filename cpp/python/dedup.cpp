// The groups of duplicate rows: fed batch by batch with keys, asked once which rows stay.
#include <pybind11/pybind11.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <system_error>

#include "djfast/duplicate_groups.hpp"
#include "djfast/errors.hpp"
#include "djfast/key_counts.hpp"
#include "djfast/links.hpp"
#include "djfast/pulse.hpp"

namespace djfast::python {
namespace py = pybind11;
namespace {

/// The bytes of any contiguous buffer, held for as long as this lives.
class Bytes {
 public:
  explicit Bytes(const py::object& object) {
    if (object.is_none()) return;
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_C_CONTIGUOUS) != 0) throw py::error_already_set();
  }
  Bytes(const Bytes&) = delete;
  Bytes& operator=(const Bytes&) = delete;
  ~Bytes() {
    if (view_.obj != nullptr) PyBuffer_Release(&view_);
  }

  std::span<const std::byte> bytes() const noexcept {
    return {static_cast<const std::byte*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }
  /// No data where Python gave None; an empty buffer is data.
  RowMask mask() const noexcept {
    static constexpr std::uint8_t nothing = 0;
    if (view_.obj == nullptr) return {};
    if (view_.len == 0) return {&nothing, std::size_t{0}};
    return {static_cast<const std::uint8_t*>(view_.buf), static_cast<std::size_t>(view_.len)};
  }

 private:
  Py_buffer view_{};
};

/// What fails at the file of spilled keys becomes Python's OSError.
template <class Work>
void as_os_error(Work work) {
  try {
    work();
  } catch (const std::system_error& error) {
    errno = error.code().value();
    PyErr_SetFromErrno(PyExc_OSError);
    throw py::error_already_set();
  }
}

template <class Groups>
void add(Groups& groups, const py::object& keys, std::size_t rows, const py::object& present) {
  const Bytes key_bytes(keys);
  const Bytes present_bytes(present);
  as_os_error([&] {
    const py::gil_scoped_release unlocked;  // the buffers are held; no Python object is touched
    groups.keys().add(key_bytes.bytes(), rows, present_bytes.mask());
  });
}

/// Tells Python a few times a second how much is done, and lets its signal handlers run, which may end the work.
class Pulsing {
 public:
  explicit Pulsing(const py::object& told) : told_(told) {}

  void operator()(double share) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    const py::gil_scoped_acquire locked;
    if (!told_.is_none()) told_(share);
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  }

 private:
  const py::object& told_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

template <class Groups>
py::bytes resolve(const Groups& groups, const py::object& alive, const py::object& told) {
  const Bytes alive_bytes(alive);
  std::vector<std::uint8_t> kept;
  as_os_error([&] {
    const py::gil_scoped_release unlocked;  // the buffer is held; no other Python object is touched
    kept = groups.resolve(alive_bytes.mask(), Pulse(Pulsing(told)));
  });
  return {reinterpret_cast<const char*>(kept.data()), kept.size()};
}

std::span<const std::uint64_t> words_of(const Bytes& buffer) {
  const auto bytes = buffer.bytes();
  if (bytes.size() % sizeof(std::uint64_t) != 0 || reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(std::uint64_t) != 0) {
    throw UserError("keys must be aligned 64-bit numbers, got " + std::to_string(bytes.size()) + " bytes");
  }
  return {reinterpret_cast<const std::uint64_t*>(bytes.data()), bytes.size() / sizeof(std::uint64_t)};
}

void count_keys(KeyCounts& counts, const py::object& keys, const py::object& numbers) {
  const Bytes key_bytes(keys);
  const Bytes count_bytes(numbers);
  const auto words = words_of(key_bytes);
  const auto bytes = count_bytes.bytes();
  const py::gil_scoped_release unlocked;  // the buffers are held; no Python object is touched
  if (bytes.data() == nullptr) {
    counts.add(words);
  } else {
    counts.add(words, {reinterpret_cast<const std::uint32_t*>(bytes.data()), bytes.size() / sizeof(std::uint32_t)});
  }
}

template <class Find>
py::tuple linked(const py::object& keys, Find find) {
  const Bytes bytes(keys);
  const auto words = words_of(bytes);
  Links links;
  {
    const py::gil_scoped_release unlocked;  // the buffer is held; no Python object is touched
    links = find(words);
  }
  const auto numbers = [](const std::vector<std::uint32_t>& side) {
    return py::bytes(reinterpret_cast<const char*>(side.data()), side.size() * sizeof(std::uint32_t));
  };
  return py::make_tuple(numbers(links.first), numbers(links.other));
}

template <class Groups>
py::class_<Groups> bind(py::module_& module, const char* name, const char* summary) {
  return py::class_<Groups>(module, name, summary)
      .def("add", &add<Groups>, py::arg("keys"), py::arg("rows"), py::arg("present") = py::none(),
           "Appends rows: their 64-bit keys in native byte order, row after row, and one byte per row telling which "
           "have keys (None: all). Keys of rows without may be left out.")
      .def("resolve", &resolve<Groups>, py::arg("alive") = py::none(), py::arg("told") = py::none(),
           "One byte per row, 1 where the row stays: it is alive (None: all are) and the first of its group. Now and then "
           "told(share) is called with how much is done, from 0 to 1, and signals are handled.")
      .def("spill_to", [](Groups& groups, int file, std::size_t most_bytes) { groups.keys().spill_to(file, most_bytes); },
           py::arg("file"), py::arg("most_bytes"),
           "From now on, keys that take more than `most_bytes` go to a file (its descriptor), which must stay open.")
      .def_property_readonly("rows", [](Groups& groups) { return groups.keys().rows(); })
      .def_property_readonly("used_bytes", [](Groups& groups) { return groups.keys().used_bytes(); });
}

}  // namespace

void register_dedup(py::module_& module) {
  bind<DigestGroups>(module, "DigestGroups", "Rows with equal 16-byte digests.").def(py::init<>());
  bind<BandGroups>(module, "BandGroups", "Rows linked by an equal key in the same band.")
      .def(py::init<std::size_t, bool>(), py::arg("bands"), py::arg("by_number") = false);
  bind<HammingGroups>(module, "HammingGroups", "Rows linked by 64-bit hashes that differ in at most `distance` bits.")
      .def(py::init<int>(), py::arg("distance"));
  py::class_<KeyCounts>(module, "KeyCounts", "How many rows have each of many 64-bit keys.")
      .def(py::init<>())
      .def("add", &count_keys, py::arg("keys"), py::arg("counts") = py::none(),
           "Counts keys once each, or as often as 32-bit counts say. 0 is no key.")
      .def("above",
           [](const KeyCounts& counts, std::uint32_t threshold) {
             const auto [keys, numbers] = counts.above(threshold);
             return py::make_tuple(py::bytes(reinterpret_cast<const char*>(keys.data()), keys.size() * sizeof keys[0]),
                                   py::bytes(reinterpret_cast<const char*>(numbers.data()), numbers.size() * sizeof numbers[0]));
           },
           py::arg("threshold"), "Keys with more than `threshold` rows, ascending, and their counts, as two buffers.")
      .def_property_readonly("used_bytes", &KeyCounts::used_bytes)
      .def("__len__", &KeyCounts::size);
  module.def(
      "keys_that_begin_with",
      [](const py::object& keys, std::size_t width, std::uint64_t word) {
        const Bytes held(keys);
        const std::size_t size = width * sizeof word;
        if (size == 0 || held.bytes().size() % size != 0) throw InternalError("keys are not of the width that is given");
        std::size_t count = 0;
        for (std::size_t at = 0; at < held.bytes().size(); at += size) {
          count += static_cast<std::size_t>(std::memcmp(held.bytes().data() + at, &word, sizeof word) == 0);
        }
        return count;
      },
      py::arg("keys"), py::arg("width"), py::arg("word"), "How many keys of `width` 64-bit words have this first word.");
  module.def(
      "links_of_equal",
      [](const py::object& keys, std::size_t width) {
        return linked(keys, [&](auto words) { return links_of_equal(words, width); });
      },
      py::arg("keys"), py::arg("width"),
      "Numbers of first keys and of keys equal to them, as two buffers of 32-bit numbers; a key is `width` 64-bit words.");
  module.def(
      "links_within",
      [](const py::object& hashes, int distance, std::uint64_t mask) {
        return linked(hashes, [&](auto words) { return links_within(words, distance, mask); });
      },
      py::arg("hashes"), py::arg("distance"), py::arg("mask"),
      "The same for 64-bit hashes that differ in at most `distance` bits and agree on the bits of `mask`.");
}

}  // namespace djfast::python
