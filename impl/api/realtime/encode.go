package realtime

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"parley/impl/core/id"
	"parley/impl/core/realtime"
)

// object is a JSON object in the making.
type object = map[string]any

// betaNames are the events that the beta calls otherwise; "" are those that it lacks.
var betaNames = map[string]string{
	realtime.TextDelta: "response.text.delta",
	realtime.TextDone:  "response.text.done",
	realtime.ItemAdded: "conversation.item.created",
	realtime.ItemDone:  "",

	realtime.SoundDelta:      "response.audio.delta",
	realtime.SoundDone:       "response.audio.done",
	realtime.TranscriptDelta: "response.audio_transcript.delta",
	realtime.TranscriptDone:  "response.audio_transcript.done",
}

// encode writes an event; nil for one that the shape lacks.
func (s shape) encode(e realtime.Event) []byte {
	o := s.members(e)
	o["type"] = e.Type
	if name, other := betaNames[e.Type]; other && s == beta {
		if name == "" {
			return nil
		}
		o["type"] = name
	}
	return seal(o)
}

// seal gives an event its id.
func seal(o object) []byte {
	o["event_id"] = id.New("event_")
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err) // texts, numbers, and what was read as JSON always encode
	}
	return raw
}

func (s shape) members(e realtime.Event) object {
	switch e.Type {
	case realtime.SessionCreated, realtime.SessionUpdated:
		return object{"session": s.session(*e.View)}
	case realtime.ConversationCreated:
		return object{"conversation": object{"id": conversationOf(e.View.ID), "object": "realtime.conversation"}}
	case realtime.ItemAdded, realtime.ItemDone:
		return object{"item": s.item(*e.Item), "previous_item_id": orNull(e.Previous)}
	case realtime.ItemRetrieved:
		return object{"item": s.item(*e.Item)}
	case realtime.ItemDeleted:
		return object{"item_id": e.ItemID}
	case realtime.ItemTruncated:
		return object{"item_id": e.ItemID, "content_index": e.Content, "audio_end_ms": e.AudioMs}
	case realtime.SpeechStarted:
		return object{"item_id": e.ItemID, "audio_start_ms": e.AudioMs}
	case realtime.SpeechStopped:
		return object{"item_id": e.ItemID, "audio_end_ms": e.AudioMs}
	case realtime.BufferCommitted:
		return object{"item_id": e.ItemID, "previous_item_id": orNull(e.Previous)}
	case realtime.TranscriptPiece, realtime.TranscriptHeard, realtime.TranscriptFailed:
		return transcribed(e)
	case realtime.BufferCleared:
		return object{}
	case realtime.RateLimits:
		return object{"rate_limits": []object{{
			"name": "requests", "limit": e.Limit.Limit, "remaining": e.Limit.Remaining, "reset_seconds": math.Max(0, math.Round(e.Limit.Reset.Seconds()*1000)/1000),
		}}}
	case realtime.ResponseCreated, realtime.ResponseDone:
		return object{"response": s.response(*e.Response)}
	}
	return s.output(e)
}

// output are the members of the events of an item that an answer writes.
func (s shape) output(e realtime.Event) object {
	o := object{"response_id": e.ResponseID, "output_index": e.Output}
	if e.Type == realtime.OutputAdded || e.Type == realtime.OutputDone {
		o["item"] = s.item(*e.Item)
		return o
	}
	o["item_id"] = e.ItemID
	if e.Type == realtime.ArgumentsDelta || e.Type == realtime.ArgumentsDone {
		o["call_id"] = e.CallID
	} else {
		o["content_index"] = 0
	}
	switch e.Type {
	case realtime.TextDelta, realtime.ArgumentsDelta, realtime.SoundDelta, realtime.TranscriptDelta:
		o["delta"] = e.Text
	case realtime.TextDone:
		o["text"] = e.Text
	case realtime.ArgumentsDone:
		o["arguments"], o["name"] = e.Text, e.Name
	case realtime.TranscriptDone:
		o["transcript"] = e.Text
	case realtime.PartAdded, realtime.PartDone:
		if e.Spoken {
			o["part"] = object{"type": "audio", "transcript": e.Text}
			break
		}
		o["part"] = object{"type": "text", "text": e.Text}
	}
	return o
}

// transcribed are the members of events of what was heard.
func transcribed(e realtime.Event) object {
	o := object{"item_id": e.ItemID, "content_index": e.Content}
	switch e.Type {
	case realtime.TranscriptPiece:
		o["delta"] = e.Text
	case realtime.TranscriptHeard:
		o["transcript"] = e.Text
		o["usage"] = object{
			"type": "tokens", "total_tokens": e.Heard.InputTokens + e.Heard.OutputTokens, "input_tokens": e.Heard.InputTokens, "output_tokens": e.Heard.OutputTokens,
			"input_token_details": object{"audio_tokens": e.Heard.InputTokens, "text_tokens": 0},
		}
	default:
		p := problemOf(e.Failure)
		o["error"] = object{"type": p.Type, "code": p.Code, "message": p.Message, "param": p.Param}
	}
	return o
}

func conversationOf(sessionID string) string {
	return id.Conversation + strings.TrimPrefix(sessionID, id.Session)
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// item is an item as the shape shows it.
func (s shape) item(i realtime.Item) realtime.Item {
	if s == beta && i.Role == "assistant" {
		i.Content = slices.Clone(i.Content)
		for n := range i.Content {
			i.Content[n].Type = strings.TrimPrefix(i.Content[n].Type, "output_")
		}
	}
	return i
}

// session is a session as the shape shows it.
func (s shape) session(v realtime.View) object {
	o := object{
		"id": v.ID, "object": "realtime.session", "model": v.Model, "instructions": v.Instructions, "tools": toolsOf(v.Tools), "tool_choice": choiceOf(v.ToolChoice),
		"expires_at": 0,
	}
	if !v.ExpiresAt.IsZero() {
		o["expires_at"] = v.ExpiresAt.Unix()
	}
	if s == beta {
		o["modalities"], o["voice"] = s.modalities(v.Modalities == realtime.Audio), voiceOf(v.Voice)
		o["input_audio_format"], o["output_audio_format"] = formatOf(v.InputFormat), formatOf(v.OutputFormat)
		o["input_audio_transcription"], o["turn_detection"] = v.Transcription, v.TurnDetection
		o["temperature"], o["max_response_output_tokens"] = temperatureOf(v.Temperature), maximumOf(v.MaxOutputTokens)
	} else {
		o["type"], o["output_modalities"], o["max_output_tokens"] = "realtime", s.modalities(v.Modalities == realtime.Audio), maximumOf(v.MaxOutputTokens)
		o["audio"] = object{
			"input":  object{"format": typedFormat(v.InputFormat), "transcription": v.Transcription, "turn_detection": v.TurnDetection},
			"output": object{"format": typedFormat(v.OutputFormat), "voice": voiceOf(v.Voice)},
		}
	}
	return o
}

// modalities is what an answer is; the beta's spoken ones are text, too.
func (s shape) modalities(spoken bool) []string {
	switch {
	case !spoken:
		return []string{"text"}
	case s == beta:
		return []string{"audio", "text"}
	}
	return []string{"audio"}
}

func toolsOf(tools []realtime.Tool) []realtime.Tool {
	if tools == nil {
		return []realtime.Tool{}
	}
	return tools
}

func choiceOf(choice json.RawMessage) any {
	if choice == nil {
		return "auto"
	}
	return choice
}

func voiceOf(voice string) string {
	if voice == "" {
		return realtime.DefaultVoice
	}
	return voice
}

func formatOf(name string) string {
	if name == "" {
		return "pcm16"
	}
	return name
}

func typedFormat(name string) format {
	f := format{Type: formatTypes[formatOf(name)]}
	if f.Type == "audio/pcm" {
		f.Rate = 24000
	}
	return f
}

// temperatureDefault is what the beta shows of a session that was told nothing.
const temperatureDefault = 0.8

func temperatureOf(t *float64) float64 {
	if t == nil {
		return temperatureDefault
	}
	return *t
}

func maximumOf(n int) any {
	if n == 0 {
		return "inf"
	}
	return n
}

// response is a response as the shape shows it.
func (s shape) response(r realtime.Response) object {
	items := make([]realtime.Item, len(r.Output))
	for i, item := range r.Output {
		items[i] = s.item(item)
	}
	o := object{
		"id": r.ID, "object": "realtime.response", "status": r.Status, "status_details": detailsOf(r), "output": items, "usage": nil,
		"metadata": r.Metadata, "conversation_id": nil,
	}
	if !r.OutOfBand {
		o["conversation_id"] = conversationOf(r.SessionID)
	}
	if r.Ended {
		o["usage"] = usageOf(r)
	}
	o["max_output_tokens"] = maximumOf(r.MaxOutputTokens)
	if s == beta {
		o["modalities"], o["temperature"] = s.modalities(r.Spoken), temperatureOf(r.Temperature)
	} else {
		o["output_modalities"] = s.modalities(r.Spoken)
	}
	return o
}

// detailsOf tells why a response is not whole; null for one that is, or may become so.
func detailsOf(r realtime.Response) any {
	switch {
	case r.Failure != nil:
		p := problemOf(r.Failure)
		return object{"type": r.Status, "error": object{"type": p.Type, "code": p.Code, "message": p.Message}}
	case r.Reason != "":
		return object{"type": r.Status, "reason": r.Reason}
	}
	return nil
}

func usageOf(r realtime.Response) object {
	return object{
		"total_tokens": r.InputTokens + r.OutputTokens + r.SpokenTokens, "input_tokens": r.InputTokens, "output_tokens": r.OutputTokens + r.SpokenTokens,
		"input_token_details":  object{"cached_tokens": 0, "text_tokens": r.InputTokens, "audio_tokens": 0, "image_tokens": 0},
		"output_token_details": object{"text_tokens": r.OutputTokens, "audio_tokens": r.SpokenTokens},
	}
}
