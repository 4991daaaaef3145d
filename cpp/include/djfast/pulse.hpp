// Work that takes long tells that it goes on, and learns when it should end.
#pragma once

#include <functional>
#include <utility>

namespace djfast {

class Pulse {
 public:
  /// Called with the share of the work that is done, from 0 to 1. It may throw, which ends the work, and is called often: every
  /// few thousand rows.
  using Told = std::function<void(double share)>;

  explicit Pulse(Told told = {}) : told_(std::move(told)) {}

  /// So much is done.
  void at(double share) {
    share_ = share;
    beat();
  }

  /// Something more is done.
  void beat() const {
    if (told_) told_(share_);
  }

 private:
  Told told_;
  double share_ = 0;
};

}  // namespace djfast
