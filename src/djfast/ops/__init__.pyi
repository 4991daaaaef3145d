# Written by docs/generate.py from the declarations of the OPs; do not edit.

from djfast.ops.annotation import HumanPreferenceAnnotationMapper as HumanPreferenceAnnotationMapper
from djfast.ops.dedup.document import DocumentDeduplicator as DocumentDeduplicator
from djfast.ops.dedup.document import DocumentMinhashDeduplicator as DocumentMinhashDeduplicator
from djfast.ops.dedup.document import DocumentMinhashDeduplicatorWithUid as DocumentMinhashDeduplicatorWithUid
from djfast.ops.dedup.document import DocumentSimhashDeduplicator as DocumentSimhashDeduplicator
from djfast.ops.dedup.lines import DocumentLineDeduplicator as DocumentLineDeduplicator
from djfast.ops.dedup.ray import RayBtsMinhashCppDeduplicator as RayBtsMinhashCppDeduplicator
from djfast.ops.dedup.ray import RayBtsMinhashDeduplicator as RayBtsMinhashDeduplicator
from djfast.ops.dedup.ray import RayBtsMinhashDeduplicatorWithUid as RayBtsMinhashDeduplicatorWithUid
from djfast.ops.dedup.ray import RayDocumentDeduplicator as RayDocumentDeduplicator
from djfast.ops.dialogs.agents import AgentBadCaseSignalMapper as AgentBadCaseSignalMapper
from djfast.ops.dialogs.agents import AgentDialogNormalizeMapper as AgentDialogNormalizeMapper
from djfast.ops.dialogs.agents import AgentToolTypeMapper as AgentToolTypeMapper
from djfast.ops.dialogs.agents import ToolSuccessTaggerMapper as ToolSuccessTaggerMapper
from djfast.ops.dialogs.usage import UsageCounterMapper as UsageCounterMapper
from djfast.ops.fields import GeneralFieldFilter as GeneralFieldFilter
from djfast.ops.fields import SpecifiedFieldFilter as SpecifiedFieldFilter
from djfast.ops.fields import SpecifiedNumericFieldFilter as SpecifiedNumericFieldFilter
from djfast.ops.fields import SuffixFilter as SuffixFilter
from djfast.ops.files import DownloadFileMapper as DownloadFileMapper
from djfast.ops.files import S3DownloadFileMapper as S3DownloadFileMapper
from djfast.ops.files import S3UploadFileMapper as S3UploadFileMapper
from djfast.ops.fused import FusedSequentialBatchOp as FusedSequentialBatchOp
from djfast.ops.fused import GeneralFusedOp as GeneralFusedOp
from djfast.ops.groupers import KeyValueGrouper as KeyValueGrouper
from djfast.ops.groupers import NaiveGrouper as NaiveGrouper
from djfast.ops.groupers import NaiveReverseGrouper as NaiveReverseGrouper
from djfast.ops.language_models.aggregation import EntityAttributeAggregator as EntityAttributeAggregator
from djfast.ops.language_models.aggregation import MetaTagsAggregator as MetaTagsAggregator
from djfast.ops.language_models.aggregation import MostRelevantEntitiesAggregator as MostRelevantEntitiesAggregator
from djfast.ops.language_models.aggregation import NestedAggregator as NestedAggregator
from djfast.ops.language_models.calibration import CalibrateQaMapper as CalibrateQaMapper
from djfast.ops.language_models.calibration import CalibrateQueryMapper as CalibrateQueryMapper
from djfast.ops.language_models.calibration import CalibrateResponseMapper as CalibrateResponseMapper
from djfast.ops.language_models.dialogs import DialogIntentDetectionMapper as DialogIntentDetectionMapper
from djfast.ops.language_models.dialogs import DialogSentimentDetectionMapper as DialogSentimentDetectionMapper
from djfast.ops.language_models.dialogs import DialogSentimentIntensityMapper as DialogSentimentIntensityMapper
from djfast.ops.language_models.dialogs import DialogTopicDetectionMapper as DialogTopicDetectionMapper
from djfast.ops.language_models.extraction import ExtractEntityAttributeMapper as ExtractEntityAttributeMapper
from djfast.ops.language_models.extraction import ExtractEntityRelationMapper as ExtractEntityRelationMapper
from djfast.ops.language_models.extraction import ExtractEventMapper as ExtractEventMapper
from djfast.ops.language_models.extraction import ExtractKeywordMapper as ExtractKeywordMapper
from djfast.ops.language_models.extraction import ExtractNicknameMapper as ExtractNicknameMapper
from djfast.ops.language_models.extraction import ExtractSupportTextMapper as ExtractSupportTextMapper
from djfast.ops.language_models.extraction import LlmExtractMapper as LlmExtractMapper
from djfast.ops.language_models.extraction import RelationIdentityMapper as RelationIdentityMapper
from djfast.ops.language_models.generation import GenerateQaFromExamplesMapper as GenerateQaFromExamplesMapper
from djfast.ops.language_models.generation import GenerateQaFromTextMapper as GenerateQaFromTextMapper
from djfast.ops.language_models.generation import LlmRayVllmEnginePipeline as LlmRayVllmEnginePipeline
from djfast.ops.language_models.judging import AgentInsightLlmMapper as AgentInsightLlmMapper
from djfast.ops.language_models.judging import AgentSkillInsightMapper as AgentSkillInsightMapper
from djfast.ops.language_models.judging import Judge as Judge
from djfast.ops.language_models.judging import PiiLlmSuspectMapper as PiiLlmSuspectMapper
from djfast.ops.language_models.rewriting import OptimizePromptMapper as OptimizePromptMapper
from djfast.ops.language_models.rewriting import OptimizeQaMapper as OptimizeQaMapper
from djfast.ops.language_models.rewriting import OptimizeQueryMapper as OptimizeQueryMapper
from djfast.ops.language_models.rewriting import OptimizeResponseMapper as OptimizeResponseMapper
from djfast.ops.language_models.rewriting import PairPreferenceMapper as PairPreferenceMapper
from djfast.ops.language_models.scoring import LlmAnalysisFilter as LlmAnalysisFilter
from djfast.ops.language_models.scoring import LlmConditionFilter as LlmConditionFilter
from djfast.ops.language_models.scoring import LlmDifficultyScoreFilter as LlmDifficultyScoreFilter
from djfast.ops.language_models.scoring import LlmQualityScoreFilter as LlmQualityScoreFilter
from djfast.ops.language_models.scoring import LlmTaskRelevanceFilter as LlmTaskRelevanceFilter
from djfast.ops.repartition import RayRepartitionPipeline as RayRepartitionPipeline
from djfast.ops.selectors.fields import FrequencySpecifiedFieldSelector as FrequencySpecifiedFieldSelector
from djfast.ops.selectors.fields import RangeSpecifiedFieldSelector as RangeSpecifiedFieldSelector
from djfast.ops.selectors.fields import TagsSpecifiedFieldSelector as TagsSpecifiedFieldSelector
from djfast.ops.selectors.fields import TopkSpecifiedFieldSelector as TopkSpecifiedFieldSelector
from djfast.ops.selectors.random import RandomSelector as RandomSelector
from djfast.ops.text.augmentation import NlpaugEnMapper as NlpaugEnMapper
from djfast.ops.text.augmentation import NlpcdaZhMapper as NlpcdaZhMapper
from djfast.ops.text.causal_models import InContextInfluenceFilter as InContextInfluenceFilter
from djfast.ops.text.causal_models import InstructionFollowingDifficultyFilter as InstructionFollowingDifficultyFilter
from djfast.ops.text.causal_models import LLMPerplexityFilter as LLMPerplexityFilter
from djfast.ops.text.characters import AlphanumericFilter as AlphanumericFilter
from djfast.ops.text.characters import SpecialCharactersFilter as SpecialCharactersFilter
from djfast.ops.text.chinese import ChineseConvertMapper as ChineseConvertMapper
from djfast.ops.text.chunking import TextChunkMapper as TextChunkMapper
from djfast.ops.text.cleaning import CleanCopyrightMapper as CleanCopyrightMapper
from djfast.ops.text.cleaning import CleanEmailMapper as CleanEmailMapper
from djfast.ops.text.cleaning import CleanHtmlMapper as CleanHtmlMapper
from djfast.ops.text.cleaning import CleanIpMapper as CleanIpMapper
from djfast.ops.text.cleaning import CleanLinksMapper as CleanLinksMapper
from djfast.ops.text.cleaning import FixUnicodeMapper as FixUnicodeMapper
from djfast.ops.text.cleaning import PunctuationNormalizationMapper as PunctuationNormalizationMapper
from djfast.ops.text.cleaning import ReplaceContentMapper as ReplaceContentMapper
from djfast.ops.text.cleaning import WhitespaceNormalizationMapper as WhitespaceNormalizationMapper
from djfast.ops.text.html import ExtractTablesFromHtmlMapper as ExtractTablesFromHtmlMapper
from djfast.ops.text.language import LanguageIDScoreFilter as LanguageIDScoreFilter
from djfast.ops.text.language import PerplexityFilter as PerplexityFilter
from djfast.ops.text.latex import ExpandMacroMapper as ExpandMacroMapper
from djfast.ops.text.latex import RemoveBibliographyMapper as RemoveBibliographyMapper
from djfast.ops.text.latex import RemoveCommentsMapper as RemoveCommentsMapper
from djfast.ops.text.latex import RemoveHeaderMapper as RemoveHeaderMapper
from djfast.ops.text.lengths import AverageLineLengthFilter as AverageLineLengthFilter
from djfast.ops.text.lengths import MaximumLineLengthFilter as MaximumLineLengthFilter
from djfast.ops.text.lengths import TextLengthFilter as TextLengthFilter
from djfast.ops.text.lengths import TokenNumFilter as TokenNumFilter
from djfast.ops.text.lengths import WordsNumFilter as WordsNumFilter
from djfast.ops.text.papers import LatexFigureContextExtractorMapper as LatexFigureContextExtractorMapper
from djfast.ops.text.papers import LatexMergeTexMapper as LatexMergeTexMapper
from djfast.ops.text.privacy import PiiRedactionMapper as PiiRedactionMapper
from djfast.ops.text.prompted_texts import SentenceAugmentationMapper as SentenceAugmentationMapper
from djfast.ops.text.prompted_texts import TextTaggingByPromptMapper as TextTaggingByPromptMapper
from djfast.ops.text.queries import QueryIntentDetectionMapper as QueryIntentDetectionMapper
from djfast.ops.text.queries import QuerySentimentDetectionMapper as QuerySentimentDetectionMapper
from djfast.ops.text.queries import QueryTopicDetectionMapper as QueryTopicDetectionMapper
from djfast.ops.text.removing import RemoveLongWordsMapper as RemoveLongWordsMapper
from djfast.ops.text.removing import RemoveNonChineseCharacterMapper as RemoveNonChineseCharacterMapper
from djfast.ops.text.removing import RemoveRepeatSentencesMapper as RemoveRepeatSentencesMapper
from djfast.ops.text.removing import RemoveSpecificCharsMapper as RemoveSpecificCharsMapper
from djfast.ops.text.removing import RemoveTableTextMapper as RemoveTableTextMapper
from djfast.ops.text.removing import RemoveWordsWithIncorrectSubstringsMapper as RemoveWordsWithIncorrectSubstringsMapper
from djfast.ops.text.repetition import CharacterRepetitionFilter as CharacterRepetitionFilter
from djfast.ops.text.repetition import WordRepetitionFilter as WordRepetitionFilter
from djfast.ops.text.sentences import SentenceSplitMapper as SentenceSplitMapper
from djfast.ops.text.similarity import TextEmbdSimilarityFilter as TextEmbdSimilarityFilter
from djfast.ops.text.similarity import TextPairSimilarityFilter as TextPairSimilarityFilter
from djfast.ops.text.syntax import TextActionFilter as TextActionFilter
from djfast.ops.text.syntax import TextEntityDependencyFilter as TextEntityDependencyFilter
from djfast.ops.text.word_lists import FlaggedWordsFilter as FlaggedWordsFilter
from djfast.ops.text.word_lists import StopWordsFilter as StopWordsFilter
from djfast.ops.user_code import PythonFileMapper as PythonFileMapper
from djfast.ops.user_code import PythonLambdaMapper as PythonLambdaMapper

class AgentToolRelevanceMapper(Judge): ...
class AgentTraceCoherenceMapper(Judge): ...
class DialogClarificationQualityMapper(Judge): ...
class DialogCoreferenceMapper(Judge): ...
class DialogErrorRecoveryMapper(Judge): ...
class DialogMemoryConsistencyMapper(Judge): ...
class DialogNonRepetitionMapper(Judge): ...
class DialogProactivityMapper(Judge): ...
class DialogTopicShiftMapper(Judge): ...

OPS: dict[str, str]

def class_names() -> list[str]: ...
