"""Declarations of all OPs, by modality and topic; `djfast.catalog` says which module holds which OP."""
