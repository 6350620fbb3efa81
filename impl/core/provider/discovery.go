package provider

import (
	"bytes"
	"context"
	"io"
	"net/http"

	openai "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
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
	page, err := o.models.List(w.ctx, option.WithMiddleware(guardList))
	if err != nil {
		return nil, w.fault(err)
	}
	if page == nil {
		return nil, w.fault(errBadJSON)
	}
	return modelsOf(page.Data), nil
}

// guardList bounds the body that the SDK is about to read whole.
func guardList(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	res, err := next(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, readStatus(res)
	}
	err = readPlain(res, modelListBytesMax)
	plain, ok := asPlain(err)
	if !ok {
		return nil, err
	}
	if !gjson.ValidBytes(plain.body) || !gjson.GetBytes(plain.body, "data").IsArray() {
		return nil, errBadJSON
	}
	res.Header.Set("Content-Type", "application/json") // some name it text/plain
	res.Body = io.NopCloser(bytes.NewReader(plain.body))
	return res, nil
}

func modelsOf(listed []openai.Model) []Model {
	var models []Model
	seen := map[string]bool{}
	for _, m := range listed {
		id := clean(m.ID)
		if id == "" || id != m.ID || len(id) > modelNameBytesMax || seen[id] || len(models) == modelsMax {
			continue
		}
		seen[id] = true
		models = append(models, Model{ID: id, Name: displayName(m), ContextTokens: contextTokens(m), Vision: vision(m)})
	}
	return models
}

func displayName(m openai.Model) string {
	if name := clean(gjson.Get(m.RawJSON(), "name").String()); name != "" && len(name) <= modelNameBytesMax {
		return name
	}
	return m.ID
}

// contextTokens reads the context from where upstreams put it: vLLM, OpenRouter
// and LM Studio, Groq, llama.cpp. OpenAI does not tell.
func contextTokens(m openai.Model) int {
	for _, path := range []string{"max_model_len", "context_length", "max_context_length", "context_window", "meta.n_ctx", "meta.n_ctx_train"} {
		if n := gjson.Get(m.RawJSON(), path).Int(); n > 0 && n <= contextTokensMax {
			return int(n)
		}
	}
	return 0
}

// vision reads whether a model sees pictures from where upstreams put it:
// OpenRouter, Mistral, LM Studio, llama.cpp. Most do not tell; nil then.
func vision(m openai.Model) *bool {
	raw := m.RawJSON()
	if said := gjson.Get(raw, "capabilities.vision"); said.IsBool() {
		sees := said.Bool()
		return &sees
	}
	for _, path := range []string{"architecture.input_modalities", "input_modalities", "capabilities"} {
		list := gjson.Get(raw, path)
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
