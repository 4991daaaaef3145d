// Which language a text is in, by a fastText model.
#include <bit>

#include "djfast/fasttext.hpp"
#include "djfast/function.hpp"

namespace djfast {
namespace {

// A prediction travels as one number, so that label and score share one run of the model.
std::int64_t pack(fasttext::Prediction prediction) noexcept {
  return static_cast<std::int64_t>(prediction.label) << 32 | std::bit_cast<std::uint32_t>(prediction.score);
}
std::size_t label_of(std::int64_t packed) noexcept { return static_cast<std::size_t>(packed >> 32); }
double score_of(std::int64_t packed) noexcept {
  return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(packed)));
}

class LanguagePrediction final : public Function {
 public:
  explicit LanguagePrediction(const Params& params)
      : model_(fasttext::shared_model(params.get<std::string>("model"))) {}

  Column run(const Call& call) const override {
    const Texts& texts = call.texts(0);
    Int64s predictions(call.row_count);
    for (const std::uint32_t row : call.rows) {
      const auto prediction = model_->predict(texts[row]);
      if (prediction.label < 0) {
        call.errors.add(row, "the language model has no label for this text");
      } else {
        predictions[row] = pack(prediction);
      }
    }
    return predictions;
  }

 private:
  std::shared_ptr<const fasttext::Model> model_;  // shared by all functions on the same file
};

class LanguageLabel final : public Function {
 public:
  explicit LanguageLabel(const Params& params) : model_(fasttext::shared_model(params.get<std::string>("model"))) {}

  Column run(const Call& call) const override {
    const auto& predictions = std::get<Int64s>(*call.arguments[0]);
    const auto& labels = model_->labels();
    Texts names(call.row_count);
    for (const std::uint32_t row : call.rows) {
      const std::size_t label = label_of(predictions[row]);
      if (label >= labels.size()) throw InternalError("language_label: prediction of another model");
      // A copy, because columns may outlive the function and with it the model.
      names[row] = call.arena.copy(labels[label]);
    }
    return names;
  }

 private:
  std::shared_ptr<const fasttext::Model> model_;  // shared by all functions on the same file
};

class LanguageScore final : public Function {
 public:
  Column run(const Call& call) const override {
    const auto& predictions = std::get<Int64s>(*call.arguments[0]);
    Doubles scores(call.row_count);
    for (const std::uint32_t row : call.rows) scores[row] = score_of(predictions[row]);
    return scores;
  }
};

}  // namespace

void register_language(Registry& registry) {
  registry.add({
      .name = "language_prediction",
      .summary = "The label that a fastText model ranks first and its score, packed into one number. A line feed counts as a space; "
                 "empty text is judged, too.",
      .inputs = {Type::text},
      .output = Type::int64,
      .cost = 6000,
      .may_reject = true,
      .make = [](const Params& params) { return std::make_unique<LanguagePrediction>(params); },
  });
  registry.add({
      .name = "language_label",
      .summary = "The label of a language prediction, without its __label__.",
      .inputs = {Type::int64},
      .output = Type::text,
      .make = [](const Params& params) { return std::make_unique<LanguageLabel>(params); },
  });
  registry.add({
      .name = "language_score",
      .summary = "The score of a language prediction: a probability that may pass 1 by rounding.",
      .inputs = {Type::int64},
      .output = Type::double_,
      .make = [](const Params&) { return std::make_unique<LanguageScore>(); },
  });
}

}  // namespace djfast
