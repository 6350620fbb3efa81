package openai

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/tidwall/gjson"

	gen "parley/gen/openai"
	"parley/impl/core/embedding"
	"parley/impl/core/fault"
	"parley/impl/core/tokens"
	"parley/impl/core/turn"
	"parley/impl/httpd"
)

type embeddings struct {
	names   names
	service *embedding.Service
}

// CreateEmbedding turns texts into vectors.
func (e embeddings) CreateEmbedding(ctx context.Context, request gen.CreateEmbeddingRequestObject) (gen.CreateEmbeddingResponseObject, error) {
	caller, body := httpd.Caller(ctx), request.Body
	texts, err := readInput(gjson.GetBytes(httpd.Body(ctx), "input"))
	if err != nil {
		return nil, err
	}
	m, err := e.names.embedding(ctx, caller.AccountID, body.Model)
	if err != nil {
		return nil, err
	}
	asked := embedding.Request{Caller: caller, Surface: surface, ModelID: m.ID, Texts: texts}
	if body.Dimensions != nil {
		asked.Dimensions = int(*body.Dimensions)
	}
	if body.User != nil {
		asked.EndUser = *body.User
	}
	inBase64 := body.EncodingFormat != nil && *body.EncodingFormat == gen.EmbeddingRequestEncodingFormatBase64
	asked.Options = options{API: apiEmbeddings, Base64: inBase64}
	answer, err := e.service.Do(ctx, asked)
	if err != nil {
		return nil, overContext(err, "/input")
	}
	return embedded{list: toAPIEmbeddings(answer, inBase64), turnID: answer.TurnID}, nil
}

// embedded is a response whose vectors are encoded once.
type embedded struct {
	list   gen.EmbeddingList
	turnID string
}

// VisitCreateEmbeddingResponse writes the vectors.
func (e embedded) VisitCreateEmbeddingResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Parley-Turn", e.turnID)
	w.WriteHeader(http.StatusOK)
	return json.NewEncoder(w).Encode(e.list)
}

// readInput returns the texts of an input, which was checked; tokens become the text that they stand for.
func readInput(input gjson.Result) ([]string, error) {
	if !input.IsArray() {
		return []string{input.String()}, nil
	}
	items := input.Array()
	if items[0].Type == gjson.Number {
		text, err := textOf(items, "/input")
		return []string{text}, err
	}
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
		if !item.IsArray() {
			continue
		}
		var err error
		if texts[i], err = textOf(item.Array(), "/input/"+strconv.Itoa(i)); err != nil {
			return nil, err
		}
	}
	return texts, nil
}

func textOf(numbers []gjson.Result, path string) (string, error) {
	ids := make([]uint, len(numbers))
	for i, n := range numbers {
		ids[i] = uint(n.Uint())
	}
	text, err := tokens.Text(ids)
	if err != nil || text == "" {
		f := fault.New(fault.Invalid, "Invalid body %s: holds a number that is no token of cl100k_base", path)
		f.Fields = []fault.Field{{In: "body", Path: path, Rule: "format", Reason: "holds a number that is no token of cl100k_base"}}
		return "", f
	}
	return text, nil
}

func toAPIEmbeddings(a embedding.Answer, inBase64 bool) gen.EmbeddingList {
	read := int64(a.Usage.InputTokens)
	list := gen.EmbeddingList{
		Object: gen.EmbeddingListObjectList, Model: a.ModelID, Data: make([]gen.Embedding, len(a.Vectors)),
		Usage: gen.EmbeddingUsage{PromptTokens: read, TotalTokens: read},
	}
	for i, v := range a.Vectors {
		list.Data[i] = gen.Embedding{Object: gen.EmbeddingObjectEmbedding, Index: int32(i)} //nolint:gosec // 2,048 at most
		var raw any = v
		if inBase64 {
			raw = base64.StdEncoding.EncodeToString(embedding.Bytes(v))
		}
		text, err := json.Marshal(raw)
		if err == nil {
			err = list.Data[i].Embedding.UnmarshalJSON(text)
		}
		if err != nil {
			panic(err) // finite floats, which the provider read as JSON, always encode
		}
	}
	return list
}

// toAPIEmbeddingsOf is toAPIEmbeddings for a turn's stored answer.
func toAPIEmbeddingsOf(a turn.Answer, inBase64 bool) any {
	answer, err := embedding.Read(a)
	if err != nil {
		panic(err) // packed by the same package
	}
	return toAPIEmbeddings(answer, inBase64)
}

// encodeEmbedding is the stream of a turn that made vectors: they are no text to stream, so only its end.
func encodeEmbedding(e turn.Event) []turn.Frame {
	switch e.Kind {
	case turn.Delta:
		return nil
	case turn.Completed:
		return []turn.Frame{{Data: done}}
	}
	return []turn.Frame{{Data: gen.ChatCompletionStreamError{Error: toAPIFailure(e)}}, {Data: done}}
}
