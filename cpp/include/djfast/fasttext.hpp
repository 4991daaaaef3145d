// Prediction with fastText's supervised models: which label (language) a text has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace djfast::fasttext {

struct Prediction {
  std::int32_t label = -1;  // index into Model::labels(); -1 when the model has no answer
  float score = 0;          // probability as fastText reports it: up to 1.00001 per decision
};

/// A supervised model in memory. All of it is read-only: one object serves all threads.
class Model {
 public:
  virtual ~Model() = default;

  /// The label that fastText's predict(text, k=1, threshold=0) ranks first. The answer is a function of the text alone:
  /// words are summed in one fixed order, whatever the thread's word cache holds. Line feeds are white space.
  virtual Prediction predict(std::string_view text) const = 0;

  /// Labels without their `__label__`.
  const std::vector<std::string>& labels() const noexcept { return labels_; }

 protected:
  std::vector<std::string> labels_;
};

/// The model in a file. It is read once for each path, time of change and size, and then shared by the process.
///
/// Throws ModelError when the file is missing or is not a model.
std::shared_ptr<const Model> shared_model(const std::string& path);

}  // namespace djfast::fasttext
