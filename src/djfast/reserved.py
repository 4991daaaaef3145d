"""Names of fields that OPs share, as data sets of Data-Juicer have them."""

STATS = "__dj__stats__"
META = "__dj__meta__"  # tags
BATCH_META = "__dj__batch_meta__"  # what aggregators found
SUFFIX = "__dj__suffix__"  # of the file that a row came from
HASHES = ("__dj__hash", "__dj__minhash", "__dj__simhash", "__dj__imagehash", "__dj__videohash")
RESERVED = (STATS, META, *HASHES)
