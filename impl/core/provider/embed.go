package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"

	"parley/impl/core/fault"
	"parley/impl/core/tokens"
)

// EmbeddingRequest asks for one vector an input.
type EmbeddingRequest struct {
	Model      string
	Inputs     []string
	Dimensions int    // of the vectors; zero leaves it to the model
	EndUser    string // an opaque name of the end user; empty sends none
}

// Embedding is what an Embedder gives: Vectors in the order of the inputs, all of one length.
type Embedding struct {
	Vectors [][]float32
	Usage   Usage // OutputTokens is zero
}

// Embedder is a provider that has models for embeddings, too. Its errors are those of Provider.Chat.
type Embedder interface {
	Embed(ctx context.Context, req EmbeddingRequest) (Embedding, error)
}

const (
	// vectorBytesMax is what one vector takes as JSON at most.
	vectorBytesMax = 128 << 10
	// embeddingBytesMax bounds an upstream's whole answer.
	embeddingBytesMax = 96 << 20
	// DimensionsMax bounds the length of a vector.
	DimensionsMax = 8192
)

var (
	_ Embedder = (*OpenAI)(nil)
	_ Embedder = BuiltIn{}
)

// Embed implements Embedder. A request without an answer is repeated like a chat's.
func (o *OpenAI) Embed(ctx context.Context, req EmbeddingRequest) (Embedding, error) {
	w := newWatchdog(ctx, o.opts.TotalTimeout)
	defer w.stop()
	for retries := 0; ; retries++ {
		body, failure := o.embed(w, req)
		if failure == nil {
			got, err := readEmbedding(body, req)
			if err != nil {
				return Embedding{}, w.fault(err)
			}
			return got, nil
		}
		delay, ok := o.retryDelay(failure, retries)
		if w.ctx.Err() != nil || !ok || !w.wait(delay) {
			return Embedding{}, w.refusal(&answer{}, embeddingFailure(failure))
		}
	}
}

// embeddingFailure lays the refusal of a length at the caller's door.
func embeddingFailure(failure error) error {
	if e, ok := errors.AsType[*statusError](failure); ok && e.mentions([]byte("dimensions")) {
		e.blamed = "dimensions"
	}
	return failure
}

func (o *OpenAI) embed(w *watchdog, req EmbeddingRequest) ([]byte, error) {
	body := struct {
		Model          string   `json:"model"`
		Input          []string `json:"input"`
		EncodingFormat string   `json:"encoding_format"`
		Dimensions     int      `json:"dimensions,omitempty"`
		User           string   `json:"user,omitempty"`
	}{req.Model, req.Inputs, "float", req.Dimensions, req.EndUser}
	w.arm(o.opts.FirstByteTimeout)
	defer w.disarm()
	bytesMax := int64(min(len(req.Inputs)*vectorBytesMax+64<<10, embeddingBytesMax))
	return post(w.ctx, o.opts.Client, o.address("embeddings"), o.opts.Key, body, bytesMax)
}

// readEmbedding takes an upstream's answer apart: every input has one vector,
// whatever their order, all of one length.
func readEmbedding(body []byte, req EmbeddingRequest) (Embedding, error) {
	var whole struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
		Usage struct {
			PromptTokens int64 `json:"prompt_tokens"`
		} `json:"usage"`
	}
	if json.NewDecoder(bytes.NewReader(body)).Decode(&whole) != nil || len(whole.Data) != len(req.Inputs) {
		return Embedding{}, errBadJSON
	}
	vectors := make([][]float32, len(req.Inputs))
	for _, d := range whole.Data {
		if d.Index < 0 || d.Index >= len(vectors) || vectors[d.Index] != nil || len(d.Embedding) == 0 ||
			len(d.Embedding) != len(whole.Data[0].Embedding) || len(d.Embedding) > DimensionsMax {
			return Embedding{}, errBadJSON
		}
		vectors[d.Index] = d.Embedding
	}
	u := Usage{InputTokens: int(whole.Usage.PromptTokens)}
	if n := whole.Usage.PromptTokens; n <= 0 || n > tokensPlausibleMax {
		u = Usage{InputTokens: countAll(req), Estimated: true}
	}
	return Embedding{Vectors: vectors, Usage: u}, nil
}

func countAll(req EmbeddingRequest) int {
	n := 0
	for _, text := range req.Inputs {
		n += tokens.Count(req.Model, text)
	}
	return n
}

// builtInDimensions is the length of the built-in model's vectors unless a request asks for another.
const builtInDimensions = 384

// Embed implements Embedder without a model: words and their pieces of three to
// five letters are hashed into a vector of length 1. Texts that share words, or
// pieces of words, are near each other; meaning is out of its reach.
func (BuiltIn) Embed(ctx context.Context, req EmbeddingRequest) (Embedding, error) {
	dimensions := req.Dimensions
	if dimensions == 0 {
		dimensions = builtInDimensions
	}
	out := Embedding{Vectors: make([][]float32, len(req.Inputs)), Usage: Usage{InputTokens: countAll(req)}}
	for i, text := range req.Inputs {
		if ctx.Err() != nil {
			return Embedding{}, fault.New(fault.Canceled, "The request was canceled.").Because(ctx.Err())
		}
		out.Vectors[i] = hashed(text, dimensions)
	}
	return out, nil
}

// hashed adds each feature of a text to one place of the vector, with a sign,
// so that features that share a place cancel out on average.
func hashed(text string, dimensions int) []float32 {
	sums := make([]float64, dimensions)
	features(text, func(hash uint64, weight float64) {
		if hash>>63 == 1 {
			weight = -weight
		}
		sums[hash%uint64(dimensions)] += weight
	})
	norm := 0.0
	for _, v := range sums {
		norm += v * v
	}
	vector := make([]float32, dimensions)
	if norm == 0 { // a text without letters or digits, or one whose features cancel out
		vector[0] = 1
		return vector
	}
	for i, v := range sums {
		vector[i] = float32(v / math.Sqrt(norm))
	}
	return vector
}
