package provider_test

import (
	"strings"
	"testing"

	"parley/impl/core/fault"
	"parley/impl/core/provider/providertest"
)

func TestOpenAIModels(t *testing.T) {
	t.Parallel()
	p, u := open(t)
	u.AnswersModels(providertest.Body("text/plain", `{"object":"list","data":[{"id":"a","max_model_len":4096},{"id":"b","name":"Bee","context_length":8192},`+
		`{"id":"c","meta":{"n_ctx_train":2048}},{"id":""},{"id":"a"},{"id":"d","context_window":-1},{"name":"no id"},{"id":"nul\u0000"}]}`))
	models, err := p.Models(t.Context())
	if err != nil || len(models) != 4 {
		t.Fatalf("%+v, %v", models, err)
	}
	for i, want := range []struct {
		id, name string
		context  int
	}{{"a", "a", 4096}, {"b", "Bee", 8192}, {"c", "c", 2048}, {"d", "d", 0}} {
		if m := models[i]; m.ID != want.id || m.Name != want.name || m.ContextTokens != want.context {
			t.Errorf("%+v, want %+v", m, want)
		}
	}
}

func TestOpenAIModelsTroubles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer providertest.Answer
		kind   fault.Kind
	}{
		"Hang":    {providertest.Hang(), fault.Upstream},
		"500":     {providertest.Status(500, "", "canary"), fault.Upstream},
		"429":     {providertest.Status(429, "", "canary"), fault.Unavailable},
		"401":     {providertest.Status(401, "", "canary"), fault.Upstream},
		"HTML":    {providertest.Body("text/html", "canary"), fault.Upstream},
		"NotJSON": {providertest.Body("application/json", "canary"), fault.Upstream},
		"NoData":  {providertest.Body("application/json", `{"data":{"id":"canary"}}`), fault.Upstream},
		"Huge":    {providertest.Body("application/json", `{"data":[{"id":"`+strings.Repeat("canary", 1<<20)+`"}]}`), fault.Upstream},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, u := open(t)
			u.AnswersModels(c.answer)
			models, err := p.Models(t.Context())
			if fault.KindOf(err) != c.kind || models != nil || strings.Contains(err.Error(), "canary") {
				t.Fatalf("%v, %v", models, err)
			}
		})
	}
}
