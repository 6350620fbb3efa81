package provider

import (
	"context"

	"github.com/tidwall/gjson"
)

const (
	modelListBytesMax = 4 << 20
	modelsMax         = 2000
	modelNameBytesMax = 256
	contextTokensMax  = 1 << 30
)

// Models implements Provider with the upstream's GET /models, within the first
// byte's deadline. Entries without a usable id are left out.
func (o *OpenAI) Models(ctx context.Context) ([]Model, error) {
	w := newWatchdog(ctx, o.opts.FirstByteTimeout)
	defer w.stop()
	raw, err := get(w.ctx, o.opts.Client, o.address("models"), o.opts.Key, modelListBytesMax)
	if err != nil {
		return nil, w.fault(err)
	}
	listed := gjson.GetBytes(raw, "data")
	if !gjson.ValidBytes(raw) || !listed.IsArray() {
		return nil, w.fault(errBadJSON)
	}
	return modelsOf(listed.Array()), nil
}

func modelsOf(listed []gjson.Result) []Model {
	var models []Model
	seen := map[string]bool{}
	for _, m := range listed {
		said := m.Get("id").Str
		id := clean(said)
		if id == "" || id != said || len(id) > modelNameBytesMax || seen[id] || len(models) == modelsMax {
			continue
		}
		seen[id] = true
		models = append(models, Model{ID: id, Name: displayName(m, id), ContextTokens: contextTokens(m), Vision: vision(m)})
	}
	return models
}

func displayName(m gjson.Result, id string) string {
	if name := clean(m.Get("name").String()); name != "" && len(name) <= modelNameBytesMax {
		return name
	}
	return id
}

// contextTokens reads the context from where upstreams put it: vLLM, OpenRouter
// and LM Studio, Groq, llama.cpp. OpenAI does not tell.
func contextTokens(m gjson.Result) int {
	for _, path := range []string{"max_model_len", "context_length", "max_context_length", "context_window", "meta.n_ctx", "meta.n_ctx_train"} {
		if n := m.Get(path).Int(); n > 0 && n <= contextTokensMax {
			return int(n)
		}
	}
	return 0
}

// vision reads whether a model sees pictures from where upstreams put it:
// OpenRouter, Mistral, LM Studio, llama.cpp. Most do not tell; nil then.
func vision(m gjson.Result) *bool {
	if said := m.Get("capabilities.vision"); said.IsBool() {
		sees := said.Bool()
		return &sees
	}
	for _, path := range []string{"architecture.input_modalities", "input_modalities", "capabilities"} {
		list := m.Get(path)
		if !list.IsArray() {
			continue
		}
		sees := false
		for _, one := range list.Array() {
			sees = sees || one.Str == "image" || one.Str == "vision" || one.Str == "multimodal"
		}
		return &sees
	}
	return nil
}
