package apitest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdk "github.com/openai/openai-go/v3"

	"parley/db"
	"parley/impl/core/model"
	"parley/impl/core/provider/providertest"
	"parley/impl/testkit"
)

// embed asks for vectors of an input.
func (x tenant) embed(t *testing.T, model string, input any, members object, header ...string) testkit.Response {
	t.Helper()
	body := object{"model": model, "input": input}
	for name, value := range members {
		body[name] = value
	}
	r := testkit.Request{Path: "/v1/embeddings", Body: body}
	if len(header) == 2 {
		r.Header = map[string]string{header[0]: header[1]}
	}
	return x.do(t, r)
}

// embedder is an upstream of the tenant's with a model for embeddings, priced.
func (x tenant) embedder(t *testing.T) (*providertest.Upstream, string) {
	t.Helper()
	u := x.Upstream(t)
	x.setModels(t, `kind = 'embedding', max_output_tokens = 1, input_micros_per_1k = 1000000`)
	return u, testkit.UpstreamModel
}

func vectorsOf(t *testing.T, got testkit.Response) [][]float64 {
	t.Helper()
	var list sdk.CreateEmbeddingResponse
	got.Want(t, http.StatusOK).JSON(t, &list)
	out := make([][]float64, len(list.Data))
	for i, d := range list.Data {
		if int(d.Index) != i {
			t.Errorf("vector %d has the index %d", i, d.Index)
		}
		out[i] = d.Embedding
	}
	return out
}

func TestEmbeddingsComeInOrderAndAreBooked(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u, id := x.embedder(t)
	client := x.sdk(t)
	list, err := client.Embeddings.New(t.Context(), sdk.EmbeddingNewParams{Model: id, Input: sdk.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"a", "b", "c"}},
		Dimensions: sdk.Int(4), User: sdk.String("u-1")})
	if err != nil || len(list.Data) != 3 || list.Data[2].Embedding[0] != 2.5 || list.Usage.TotalTokens != 7 || list.Model != id {
		t.Fatalf("%+v, %v", list, err)
	}
	asked := u.Received()[0].Body
	if fmt.Sprintln(asked["input"], asked["dimensions"], asked["user"]) != "[a b c] 4 u-1\n" {
		t.Errorf("the upstream was asked %v", asked)
	}
	if e := x.lastEntry(t); e.Input != 7 || e.Output != 0 || e.Amount != 7_000 || e.Estimated {
		t.Errorf("booked %+v", e)
	}
	x.wantConserved(t)
}

func TestEmbeddingsTakeTokens(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u, id := x.embedder(t)
	hello := []int{15339, 1917} // "hello world" in cl100k_base
	x.embed(t, id, hello, nil).Want(t, http.StatusOK)
	x.embed(t, id, [][]int{hello, {15339}}, nil).Want(t, http.StatusOK)
	for i, want := range []string{"[hello world]", "[hello world hello]"} {
		if got := fmt.Sprint(u.Received()[i].Body["input"]); got != want {
			t.Errorf("the upstream got %s, want %s", got, want)
		}
	}
}

// Vectors of the built-in model: the same for the same text, of length 1, nearer for texts that share words.
func TestBuiltInEmbeddings(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	texts := []string{"The cat sleeps on the mat.", "A cat was sleeping on a mat", "Quarterly revenue grew by nine percent", "…"}
	v := vectorsOf(t, x.embed(t, "text-embedding-3-small", texts, nil))
	near := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	if len(v[0]) != 384 || near(v[0], v[0]) < 0.999 || near(v[0], v[0]) > 1.001 || near(v[3], v[3]) < 0.999 {
		t.Errorf("%d numbers, length %f", len(v[0]), near(v[0], v[0]))
	}
	if near(v[0], v[1]) < near(v[0], v[2])+0.2 {
		t.Errorf("alike %f, unlike %f", near(v[0], v[1]), near(v[0], v[2]))
	}
	short := vectorsOf(t, x.embed(t, model.BuiltInEmbedding, texts[0], object{"dimensions": 64}))
	client := x.sdk(t)
	for range 2 {
		again := vectorsOf(t, x.embed(t, model.BuiltInEmbedding, texts[0], object{"dimensions": 64}))
		if len(short[0]) != 64 || !slices.Equal(short[0], again[0]) {
			t.Errorf("%v and %v", short[0], again[0])
		}
	}
	var raw struct{ Data []struct{ Embedding string } }
	x.embed(t, model.BuiltInEmbedding, "a", object{"dimensions": 2, "encoding_format": "base64"}).Want(t, http.StatusOK).JSON(t, &raw)
	if len(raw.Data[0].Embedding) != 12 {
		t.Errorf("base64 %+v", raw)
	}
	page, err := client.Models.List(t.Context())
	if err != nil || !slices.ContainsFunc(page.Data, func(m sdk.Model) bool { return m.ID == model.BuiltInEmbedding }) {
		t.Errorf("%v, %v", page, err)
	}
}

func TestEmbeddingsAreRefused(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	_, id := x.embedder(t)
	x.setModels(t, `context_tokens = 10`)
	poor := tenantOf(t, testkit.Shared(t), testkit.Unlimited, 0)
	priced := poor.Model(t, testkit.Priced(1_000_000, 0), func(m *db.Model) { m.Kind = model.KindEmbedding })
	for _, c := range []struct {
		who         tenant
		model       string
		input       any
		status      int
		param, code string
	}{
		{x, id, strings.Repeat("word ", 20), 400, "input", "context_length_exceeded"},
		{x, id, []string{}, 400, "input", "invalid_value"},
		{x, id, "", 400, "input", "invalid_value"},
		{x, id, []string{"a", ""}, 400, "input[1]", "invalid_value"},
		{x, id, slices.Repeat([]string{"a"}, 2049), 400, "input", "invalid_value"},
		{x, id, []int{100_256}, 400, "input[0]", "invalid_value"},
		{x, "no-such", "a", 404, "model", "model_not_found"},
		{x, x.id(t, "llm_id"), "a", 404, "model", "model_not_found"},
		{x, newTenant(t).id(t, "llm_id"), "a", 404, "model", "model_not_found"},
		{poor, priced.ID, "a", 429, "", "insufficient_quota"},
	} {
		c.who.wantNothingStored(t, func() {
			got := c.who.embed(t, c.model, c.input, nil).Want(t, c.status)
			if e := openaiError(t, got); e.Param != c.param || e.Code != c.code {
				t.Errorf("%.40v: %s", c.input, got.Body)
			}
		})
	}
}

func TestEmbeddingsOfAFailingUpstream(t *testing.T) {
	t.Parallel()
	data := func(vectors string) providertest.Answer {
		return providertest.Body("application/json", `{"object":"list","data":[`+vectors+`],"model":"m"}`)
	}
	for name, c := range map[string]struct {
		answer providertest.Answer
		status int
	}{
		"too few":      {data(`{"index":0,"embedding":[1]}`), 502},
		"twice":        {data(`{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}`), 502},
		"beyond":       {data(`{"index":0,"embedding":[1]},{"index":2,"embedding":[1]}`), 502},
		"uneven":       {data(`{"index":0,"embedding":[1]},{"index":1,"embedding":[1,2]}`), 502},
		"empty":        {data(`{"index":0,"embedding":[]},{"index":1,"embedding":[]}`), 502},
		"no numbers":   {data(`{"index":0,"embedding":[1e99]},{"index":1,"embedding":[1]}`), 502},
		"no JSON":      {providertest.Body("text/html", "<p>"), 502},
		"dimensions":   {providertest.Status(400, "x", "This model does not support specifying dimensions."), 400},
		"unauthorized": {providertest.Status(401, "x", "no"), 502},
		"busy":         {providertest.Status(429, "x", "later", "Retry-After", "60"), 503},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTenant(t)
			u, id := x.embedder(t)
			u.AnswersEmbeddings(c.answer)
			x.embed(t, id, []string{"a", "b"}, object{"dimensions": 3}).Want(t, c.status)
			x.wantConserved(t)
		})
	}
}

// A repetition gets the same vectors and costs nothing; those of an answer too large to be kept are gone.
func TestEmbeddingsAreRepeated(t *testing.T) {
	t.Parallel()
	x := newTenant(t)
	u, id := x.embedder(t)
	first := x.embed(t, id, []string{"a", "b"}, nil, "Idempotency-Key", "k1").Want(t, http.StatusOK)
	again := x.embed(t, id, []string{"a", "b"}, nil, "Idempotency-Key", "k1").Want(t, http.StatusOK)
	if string(first.Body) != string(again.Body) || again.Header.Get("Idempotency-Replayed") != "true" || len(u.Received()) != 1 {
		t.Errorf("%s, then %s", first.Body, again.Body)
	}
	many := slices.Repeat([]string{"a"}, 700)
	x.embed(t, id, many, nil, "Idempotency-Key", "k2").Want(t, http.StatusOK)
	gone := x.embed(t, id, many, nil, "Idempotency-Key", "k2").Want(t, http.StatusConflict)
	if e := openaiError(t, gone); e.Code != "result_not_stored" || len(u.Received()) != 2 {
		t.Errorf("answer %s", gone.Body)
	}
	x.embed(t, id, "other", nil, "Idempotency-Key", "k1").Want(t, http.StatusUnprocessableEntity)
	turnID := first.Header.Get("Parley-Turn")
	stream := x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID + "/events"}).Want(t, http.StatusOK)
	if !strings.HasPrefix(string(stream.Body), "data: [DONE]") {
		t.Errorf("stream %s", stream.Body)
	}
	var state struct{ Usage json.RawMessage }
	x.do(t, testkit.Request{Path: "/api/v1/turns/" + turnID}).Want(t, http.StatusOK).JSON(t, &state)
}
