"""Chat templates for vLLM's reranking, each with one of the ways that published ones differ from the model's prompt."""

from reranker_service.scoring.prompts import STANDARD_SYSTEM

_FIELD = '{{{{ messages | selectattr("role", "equalto", "{role}") | map(attribute="content") | first }}}}'
_QUERY, _DOCUMENT = _FIELD.format(role="query"), _FIELD.format(role="document")
_DEFAULT = "Given a web search query, retrieve relevant passages that answer the query"
_INSTRUCTION = f'{{{{ instruction | default("{_DEFAULT}") }}}}'

_HEAD = f"<|im_start|>system\n{STANDARD_SYSTEM}<|im_end|>\n<|im_start|>user\n"
_BODY = f"<Instruct>: {_INSTRUCTION}\n<Query>: {_QUERY}\n<Document>: {_DOCUMENT}"
_THINK = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>"

# A template's last line break is not part of what it renders. A file that ends as the prompt should end loses one.
AS_PUBLISHED = f"{_HEAD}{_BODY}{_THINK}\n\n"
EXACT = f"{_HEAD}{_BODY}{_THINK}\n\n\n"
WITHOUT_THINKING = f"{_HEAD}{_BODY}<|im_end|>\n<|im_start|>assistant\n\n"
SEPARATED = f"{_HEAD}{_BODY.replace(chr(10), chr(10) * 2)}{_THINK}\n\n\n"

# name -> (template or None, what it is)
VARIANTS: dict[str, tuple[str | None, str]] = {
    "as published": (AS_PUBLISHED, "ends in `</think>` and two line breaks, of which Jinja keeps one"),
    "exact": (EXACT, "one more line break at its end, so that two are left"),
    "none": (None, "no template: query and document, one behind the other"),
    "without thinking": (WITHOUT_THINKING, "no empty thinking block"),
    "separated": (SEPARATED, "empty lines between the three fields"),
}
