"""Names that are set apart: fields that OPs share, as data sets of Data-Juicer have them, and standard input and output."""

STATS = "__dj__stats__"
META = "__dj__meta__"  # tags
BATCH_META = "__dj__batch_meta__"  # what aggregators found
SUFFIX = "__dj__suffix__"  # of the file that a row came from
HASHES = ("__dj__hash", "__dj__minhash", "__dj__simhash", "__dj__imagehash", "__dj__videohash")
RESERVED = (STATS, META, *HASHES)

GENERATED = "generated:"  # in place of a path, before the description of a data set that is made
STREAM = "-"  # in a recipe, standard input or output
STDIN = "/dev/stdin"
STDOUT = "/dev/stdout"
