"""Language models for OPs: a client of servers, models inside the process, prompts, conversations, cache and usage.

An OP asks through `chat.Chat` or `transformers_backend.TransformersModel`, mostly by way of `conversations.converse`.
"""
