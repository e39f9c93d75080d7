// The one list of settings of temper-serve: every field with its help and check.
#pragma once
#include "io/settings.h"
#include "serve/config.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, ServeRegistry& registry) {
    v("directory", registry.directory, "Registry whose alias decides the adapter; empty: adapter does.");
    v("name", registry.name, "Name in the registry.");
    v("alias", registry.alias, "Alias that is served, and followed when it moves.", not_empty());
    v("poll_seconds", registry.poll_seconds, "How often aliases are read, system_prompt's as well.", positive()).unit("seconds");
}

template <class Visitor> void describe(Visitor& v, ServeLimits& limits) {
    v("body_bytes", limits.body_bytes, "The most of a request's body; longer ones are answered with 413.", range(1024, 16 << 20)).unit("bytes");
    v("connections", limits.connections, "Connections at once; further ones are answered with 503.", range(1, 65536));
    v("queue", limits.queue, "Requests that wait for a slot; further ones are answered with 503.", range(0, 65536));
    v("request_seconds", limits.request_seconds,
      "From a request's first byte until it has arrived whole, between two requests, and until a client takes what it is sent.", positive())
        .unit("seconds");
    v("answer_seconds", limits.answer_seconds, "Until a request is answered, waiting included; later it ends with 504.", positive()).unit("seconds");
    v("drain_seconds", limits.drain_seconds, "What requests under way get after SIGTERM.", at_least(0)).unit("seconds");
}

template <class Visitor> void describe(Visitor& v, ServeConfig& config) {
    v("model", config.model, "Model that chats: Hugging Face directory, or a .gguf file; null: the one that the registry's version names.");
    v("adapter", config.adapter, "PEFT adapter directory; null: none, or the registry's.");
    v.section("registry", config.registry, "Which version is served.");
    v("served_name", config.served_name, "What requests call it; empty: registry.name, else the name of the model's folder.");
    v("system_prompt", config.system_prompt,
      "Prompt that chats get which bring no system message, NAME@ALIAS (or NAME:VERSION, NAME#SHA256); null: none. An alias is followed when it "
      "moves.",
      not_empty());
    v("prompts", config.prompts, "Where the prompts lie (temper prompts).", not_empty());
    v("embedding_model", config.embedding_model, "Model of /v1/embeddings; null: none.");
    v("embedding_name", config.embedding_name, "What requests call it; empty: the name of its folder.");
    v("embedding_truncate", config.embedding_truncate, "Cuts texts that are too long for the embedding model; false refuses them.");
    v("host", config.host, "Address that is listened on; 0.0.0.0 is every one.", not_empty());
    v("port", config.port, "Port; 0: a free one, which stdout names.", range(0, 65535));
    v("api_key_env", config.api_key_env, "Environment variable with the key that /v1 asks for; empty: none.");
    v("slots", config.slots, "Answers generated together.", range(1, 1024));
    v("max_context", config.max_context, "The most of a prompt with its answer; memory for keys and values is slots times this.", range(16, 1 << 20))
        .unit("tokens");
    v("threads", config.threads, "Threads of a pass; 0: OMP_NUM_THREADS, or the cores allowed.", range(0, 4096));
    v("dtype", config.dtype, "Arithmetic of the model that chats.", one_of({"bfloat16", "float32"}));
    v("embedding_dtype", config.embedding_dtype, "Arithmetic of the embedding model.", one_of({"bfloat16", "float32"}));
    v("device", config.device, "Where to compute.", one_of({"auto", "cpu", "cuda"}));
    v("isa", config.isa, "Instruction set of the kernels.", one_of({"auto", "scalar", "avx2", "avx512", "avx512_bf16", "amx"}));
    v("load_in_4bit", config.load_in_4bit, "Linear layers of the blocks in NF4, as the adapter was trained.");
    v("bnb_4bit_use_double_quant", config.bnb_4bit_use_double_quant, "And their scales in 8 bits.");
    v("load_in_fp8", config.load_in_fp8, "Linear layers of the blocks in 8-bit floats, as the adapter was trained.");
    v("keep_quantized", config.keep_quantized, "Blocks of a .gguf model stay as they are in memory.");
    v.section("limits", config.limits, "What one client, and all together, may take.");
}

}  // namespace temper
