package openai

import (
	"encoding/json"
	"fmt"
	"strings"

	gen "parley/gen/openai"
	"parley/impl/core/provider"
	"parley/impl/core/turn"
)

// fold is a response as far as its log was read. All forms of a response come of
// it: its stream, the response as a whole, and what a later one reads of it.
type fold struct {
	asked  asked
	suffix string // of ids
	now    gen.ModelResponse
	items  []*making
	next   int64        // sequence number
	frames []turn.Frame // of the last event
}

// making is an item that is being made.
type making struct {
	gen.ResponseOutputItem
	place int32
	text  strings.Builder // of the part, or the arguments
	open  bool
	call  int // the call's index
	cited []gen.ResponseAnnotation
}

func newFold(v turn.View) *fold {
	f := &fold{suffix: strings.TrimPrefix(v.TurnID, turnPrefix), now: blank()}
	f.named(v)
	return f
}

func (f *fold) named(v turn.View) {
	f.now.ID, f.now.CreatedAt, f.now.Model = responsePrefix+f.suffix, v.BeganAt.Unix(), v.ModelID
}

// foldOf reads a log.
func foldOf(v turn.View, log []turn.Event) *fold {
	f := newFold(v)
	for _, e := range log {
		if e.Model != "" {
			v.ModelID = e.Model
		}
		f.read(v, e)
	}
	return f
}

// toAPIResponse is a response as its log tells it.
func toAPIResponse(v turn.View, log []turn.Event) gen.ModelResponse {
	f := foldOf(v, log)
	if f.now.Status == gen.ModelResponseStatusInProgress {
		f.now.Output = f.output(gen.ResponseOutputItemStatusInProgress)
	}
	return f.now
}

// encodeResponse is the stream of a response.
func encodeResponse(v turn.View, e turn.Event) []turn.Frame {
	f, reading := (*v.State).(*fold)
	if !reading {
		f = newFold(v)
		*v.State = f
	}
	f.read(v, e)
	return f.frames
}

// read takes in the next event.
func (f *fold) read(v turn.View, e turn.Event) {
	f.frames = nil
	f.now.Model = v.ModelID
	switch e.Kind {
	case turn.Asked:
		f.asked.Response = f.now
		_ = json.Unmarshal([]byte(e.Text), &f.asked) // written by us in this shape
		f.now = f.asked.Response
		f.named(v)
		f.state(gen.ResponseStateDataTypeResponseCreated)
		f.state(gen.ResponseStateDataTypeResponseInProgress)
	case turn.Thought:
		f.write(gen.ResponseOutputItemTypeReasoning, gen.ResponseDeltaDataTypeResponseReasoningTextDelta, e.Text)
	case turn.Delta:
		f.write(gen.ResponseOutputItemTypeMessage, gen.ResponseDeltaDataTypeResponseOutputTextDelta, e.Text)
	case turn.Calls:
		pieces, err := provider.DecodeCalls(e.Text)
		for i := 0; err == nil && i < len(pieces); i++ { // never an error: encoded by provider
			f.called(pieces[i])
		}
	default:
		f.end(e)
	}
}

// send adds an event to the stream. The data is made with its sequence number.
func (f *fold) send(name string, data func(number int64) any) {
	f.frames = append(f.frames, turn.Frame{Event: name, Data: data(f.next)})
	f.next++
}

func (f *fold) state(kind gen.ResponseStateDataType) {
	f.send(string(kind), func(n int64) any { return gen.ResponseStateData{Type: kind, SequenceNumber: n, Response: f.now} })
}

func (f *fold) item(kind gen.ResponseItemDataType, m *making) {
	f.send(string(kind), func(n int64) any {
		return gen.ResponseItemData{Type: kind, SequenceNumber: n, OutputIndex: m.place, Item: m.shown()}
	})
}

func (f *fold) part(kind gen.ResponsePartDataType, m *making) {
	f.send(string(kind), func(n int64) any {
		return gen.ResponsePartData{Type: kind, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, Part: m.part()}
	})
}

// begin opens an item. Text that was open is complete then; calls may go on beside.
func (f *fold) begin(kind gen.ResponseOutputItemType, prefix string) *making {
	for _, m := range f.items {
		if m.open && m.Type != gen.ResponseOutputItemTypeFunctionCall {
			f.close(m, gen.ResponseOutputItemStatusCompleted)
		}
	}
	m := &making{open: true, cited: []gen.ResponseAnnotation{}, place: int32(len(f.items)), call: -1} //nolint:gosec // bounded by the answer's size
	m.ID, m.Type, m.Status = fmt.Sprintf("%s%s_%d", prefix, f.suffix, m.place), kind, gen.ResponseOutputItemStatusInProgress
	f.items = append(f.items, m)
	return m
}

// write adds to the text of the open item of a kind, which it opens if there is none.
func (f *fold) write(kind gen.ResponseOutputItemType, delta gen.ResponseDeltaDataType, text string) {
	if text == "" {
		return
	}
	m := f.writing(kind)
	m.text.WriteString(text)
	f.send(string(delta), func(n int64) any {
		return gen.ResponseDeltaData{Type: delta, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, Delta: text, Logprobs: []gen.OpenaiRaw{}}
	})
}

func (f *fold) writing(kind gen.ResponseOutputItemType) *making {
	for _, m := range f.items {
		if m.open && m.Type == kind {
			return m
		}
	}
	prefix := "rs_"
	if kind == gen.ResponseOutputItemTypeMessage {
		prefix = "msg_"
	}
	m := f.begin(kind, prefix)
	if kind == gen.ResponseOutputItemTypeMessage {
		role := gen.ResponseOutputItemRoleAssistant
		m.Role = &role
	}
	f.item(gen.ResponseItemDataTypeResponseOutputItemAdded, m)
	f.part(gen.ResponsePartDataTypeResponseContentPartAdded, m)
	return m
}

// called takes in a piece of a call.
func (f *fold) called(p provider.CallPiece) {
	m := f.calling(p)
	if p.Arguments == "" {
		return
	}
	m.text.WriteString(p.Arguments)
	kind := gen.ResponseArgumentsDeltaDataTypeResponseFunctionCallArgumentsDelta
	f.send(string(kind), func(n int64) any {
		return gen.ResponseArgumentsDeltaData{Type: kind, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, Delta: p.Arguments}
	})
}

func (f *fold) calling(p provider.CallPiece) *making {
	for _, m := range f.items {
		if m.call == p.Index {
			return m
		}
	}
	m := f.begin(gen.ResponseOutputItemTypeFunctionCall, "fc_")
	m.call, m.CallID, m.Name = p.Index, &p.ID, &p.Name
	f.item(gen.ResponseItemDataTypeResponseOutputItemAdded, m)
	return m
}

// cite tells what the text of a message rests on.
func (f *fold) cite(m *making, cited []turn.Citation) {
	m.cited = toAPIResponseAnnotations(cited, m.text.String())
	kind := gen.ResponseAnnotationDataTypeResponseOutputTextAnnotationAdded
	for i, c := range m.cited {
		f.send(string(kind), func(n int64) any {
			return gen.ResponseAnnotationData{Type: kind, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, AnnotationIndex: int32(i), Annotation: c} //nolint:gosec // bounded by the passages
		})
	}
}

// close ends an item.
func (f *fold) close(m *making, status gen.ResponseOutputItemStatus) {
	m.open, m.Status = false, status
	if m.Type == gen.ResponseOutputItemTypeFunctionCall {
		kind := gen.ResponseArgumentsDataTypeResponseFunctionCallArgumentsDone
		f.send(string(kind), func(n int64) any {
			return gen.ResponseArgumentsData{Type: kind, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, Name: *m.Name, Arguments: m.text.String()}
		})
	} else {
		kind := gen.ResponseTextDataTypeResponseOutputTextDone
		if m.Type == gen.ResponseOutputItemTypeReasoning {
			kind = gen.ResponseTextDataTypeResponseReasoningTextDone
		}
		f.send(string(kind), func(n int64) any {
			return gen.ResponseTextData{Type: kind, SequenceNumber: n, ItemID: m.ID, OutputIndex: m.place, Text: m.text.String(), Logprobs: []gen.OpenaiRaw{}}
		})
		f.part(gen.ResponsePartDataTypeResponseContentPartDone, m)
	}
	f.item(gen.ResponseItemDataTypeResponseOutputItemDone, m)
}
