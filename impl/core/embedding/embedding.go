// Package embedding turns texts into vectors: with the model of an upstream, or
// the built-in one. Each call is a turn: limited, paid and booked like an answer.
package embedding

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"parley/db"
	"parley/impl/core/fault"
	"parley/impl/core/idempotency"
	"parley/impl/core/key"
	"parley/impl/core/model"
	"parley/impl/core/provider"
	"parley/impl/core/tokens"
	"parley/impl/core/turn"
)

const (
	// InputsMax is how many texts one call takes.
	InputsMax = 2048
	// tokensMax bounds all texts of one call together.
	tokensMax = 300_000
	// keptBytesMax is the largest answer that is kept for a repetition.
	keptBytesMax = 4 << 20
	// likelyDimensions guesses what an answer takes before it is there.
	likelyDimensions = 1536
)

// Service makes embeddings.
type Service struct{ Turns *turn.Engine }

// Request is texts to embed.
type Request struct {
	Caller     key.Caller
	Surface    string
	ModelID    string   // "": the default model for embeddings
	Texts      []string // 1 to InputsMax, none empty
	Dimensions int      // of the vectors; 0 leaves it to the model
	EndUser    string
	Options    any // of the surface, stored with the turn
}

// Answer is one vector a text, in their order, all of one length.
type Answer struct {
	TurnID  string
	ModelID string
	Vectors [][]float32
	Usage   provider.Usage
}

// Embed embeds texts for a caller, for parts of the server that need vectors themselves.
func (s *Service) Embed(ctx context.Context, caller key.Caller, surface, modelID string, texts []string) (Answer, error) {
	return s.Do(ctx, Request{Caller: caller, Surface: surface, ModelID: modelID, Texts: texts})
}

// Do embeds texts. An unknown model is an Invalid fault, texts beyond the
// model's context are TooLarge; the other faults are those of turn.Engine.Start
// and of its answer.
func (s *Service) Do(ctx context.Context, r Request) (Answer, error) {
	work := &turn.Work{
		Kind:   model.KindEmbedding,
		Tokens: func(m db.Model) (int, error) { return count(m, r.Texts) },
		Do: func(ctx context.Context, p provider.Provider, m db.Model, emit func(provider.Delta) error) (provider.Result, error) {
			return ask(ctx, p, m, r, emit)
		},
	}
	live, err := s.Turns.Start(ctx, turn.Input{
		Caller: r.Caller, Surface: r.Surface, ModelID: r.ModelID, Work: work, Options: r.Options,
		Sampling: turn.Sampling{EndUser: r.EndUser}, Unstored: !kept(ctx, r), Awaited: true,
	})
	if err != nil {
		return Answer{}, err
	}
	a, err := live.Wait(ctx)
	if err != nil {
		return Answer{TurnID: live.ID}, err
	}
	return Read(a)
}

// kept tells whether the answer is stored: only for a repetition, and only when it is small.
func kept(ctx context.Context, r Request) bool {
	dimensions := r.Dimensions
	if dimensions == 0 {
		dimensions = likelyDimensions
	}
	return idempotency.ClaimOf(ctx) != nil && len(r.Texts)*dimensions*4 <= keptBytesMax
}

// Read takes the answer of a turn apart.
func Read(a turn.Answer) (Answer, error) {
	vectors, err := unpack(a.Content)
	return Answer{TurnID: a.TurnID, ModelID: a.ModelID, Vectors: vectors, Usage: a.Usage}, err
}

// count returns the tokens of texts that fit a model.
func count(m db.Model, texts []string) (int, error) {
	all := 0
	for _, text := range texts {
		n := tokens.Count(m.UpstreamName, text)
		if n > m.ContextTokens {
			return 0, fault.New(fault.TooLarge, "An input does not fit the model's context of %d tokens.", m.ContextTokens)
		}
		all += n
	}
	if all > tokensMax {
		return 0, fault.New(fault.TooLarge, "The inputs have more than %d tokens together.", tokensMax)
	}
	return all, nil
}

func ask(ctx context.Context, p provider.Provider, m db.Model, r Request, emit func(provider.Delta) error) (provider.Result, error) {
	embedder, ok := p.(provider.Embedder)
	if !ok {
		return provider.Result{}, fault.New(fault.Upstream, "The model's provider makes no embeddings.")
	}
	got, err := embedder.Embed(ctx, provider.EmbeddingRequest{Model: m.UpstreamName, Inputs: r.Texts, Dimensions: r.Dimensions, EndUser: r.EndUser})
	if err != nil {
		return provider.Result{}, err
	}
	result := provider.Result{Usage: got.Usage, FinishReason: provider.FinishStop, Model: m.UpstreamName}
	return result, emit(provider.Delta{Text: pack(got.Vectors)})
}

// pack writes vectors as their length and their bytes: "dimensions:base64".
func pack(vectors [][]float32) string {
	raw := make([]byte, 0, len(vectors)*len(vectors[0])*4)
	for _, v := range vectors {
		raw = append(raw, Bytes(v)...)
	}
	return strconv.Itoa(len(vectors[0])) + ":" + base64.StdEncoding.EncodeToString(raw)
}

// Bytes is a vector as little-endian floats of four bytes.
func Bytes(vector []float32) []byte {
	raw := make([]byte, 0, len(vector)*4)
	for _, f := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
	}
	return raw
}

func unpack(text string) ([][]float32, error) {
	length, encoded, _ := strings.Cut(text, ":")
	dimensions, err := strconv.Atoi(length)
	raw, decodeErr := base64.StdEncoding.DecodeString(encoded)
	if err != nil || decodeErr != nil || dimensions < 1 || len(raw)%(4*dimensions) != 0 {
		return nil, fmt.Errorf("stored vectors of %d bytes cannot be read", len(text))
	}
	vectors := make([][]float32, len(raw)/(4*dimensions))
	for i := range vectors {
		vectors[i] = make([]float32, dimensions)
		for j := range vectors[i] {
			vectors[i][j] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(i*dimensions+j):]))
		}
	}
	return vectors, nil
}
