package realtime

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"parley/impl/core/fault"
	"parley/impl/core/id"
	"parley/impl/core/realtime"
	"parley/impl/httpd"
)

// message is an event of the client's. Which members count follows from Type.
type message struct {
	Type           string          `json:"type"`
	EventID        string          `json:"event_id"`
	Session        json.RawMessage `json:"session"`
	Item           json.RawMessage `json:"item"`
	PreviousItemID *string         `json:"previous_item_id"`
	ItemID         string          `json:"item_id"`
	ContentIndex   int             `json:"content_index"`
	AudioEndMs     int             `json:"audio_end_ms"`
	Response       json.RawMessage `json:"response"`
	ResponseID     string          `json:"response_id"`
	Audio          *string         `json:"audio"`
}

// obey carries out one message of the client's. EventID is its own name of it,
// "" without one.
func (s shape) obey(ctx context.Context, session *realtime.Session, raw []byte) (eventID string, err error) {
	if err := httpd.CheckJSON(raw); err != nil {
		return "", fault.New(fault.Invalid, "The message is not valid JSON, or names a member twice.").Coded("invalid_json").Because(err)
	}
	var m message
	if err := decode(raw, &m, "", false); err != nil {
		return "", err
	}
	eventID = m.EventID[:min(len(m.EventID), 512)]
	if err := s.carryOut(ctx, session, m); err != nil {
		return eventID, err
	}
	return eventID, nil
}

func (s shape) carryOut(ctx context.Context, session *realtime.Session, m message) error {
	switch m.Type {
	case "":
		return broken("type", "required", "is required")
	case "session.update":
		return s.updateSession(ctx, session, m)
	case "conversation.item.create":
		return s.createItem(ctx, session, m)
	case "conversation.item.retrieve":
		return session.RetrieveItem(m.ItemID)
	case "conversation.item.delete":
		return session.DeleteItem(ctx, m.ItemID)
	case "conversation.item.truncate":
		return session.TruncateItem(ctx, m.ItemID, m.ContentIndex, m.AudioEndMs)
	case "response.create":
		ask, err := s.readAsk(m.Response)
		if err != nil {
			return err
		}
		return session.Respond(ctx, ask)
	case "response.cancel":
		return session.Cancel(ctx, m.ResponseID)
	case "input_audio_buffer.clear":
		session.ClearBuffer()
		return nil
	case "input_audio_buffer.append":
		raw, err := readSound(m.Audio, "audio")
		if err != nil {
			return err
		}
		return session.AppendAudio(ctx, raw)
	case "input_audio_buffer.commit":
		return session.CommitAudio(ctx)
	case "output_audio_buffer.clear":
		return fault.New(fault.Invalid, "Only WebRTC, which is not offered, has a buffer of output; use response.cancel.").Coded("unsupported_event")
	case "transcription_session.update":
		if s == beta {
			return fault.New(fault.Invalid, "Sessions that only transcribe are not offered.").Coded("unsupported_session_type")
		}
	}
	return broken("type", "enum", "is not an event that this server knows")
}

func (s shape) updateSession(ctx context.Context, session *realtime.Session, m message) error {
	if !isGiven(m.Session) {
		return broken("session", "required", "is required")
	}
	current := session.Settings()
	settings, err := s.apply(current, m.Session, "session")
	if err != nil {
		return err
	}
	if settings.Model == session.Model() {
		settings.Model = current.Model // as its client was told
	}
	if settings.Model != current.Model {
		return broken("session/model", "enum", "cannot be changed while the session is open").Coded("cannot_update_model")
	}
	return session.Update(ctx, settings)
}

func (s shape) createItem(ctx context.Context, session *realtime.Session, m message) error {
	if !isGiven(m.Item) {
		return broken("item", "required", "is required")
	}
	item, err := s.readItem(m.Item, "item")
	if err != nil {
		return err
	}
	after := ""
	if m.PreviousItemID != nil {
		after = *m.PreviousItemID
	}
	return session.CreateItem(ctx, item, after)
}

// sentItem is an item as clients write it.
type sentItem struct {
	ID        string     `json:"id"`
	Type      string     `json:"type"`
	Status    string     `json:"status"`
	Role      string     `json:"role"`
	Content   []sentPart `json:"content"`
	CallID    string     `json:"call_id"`
	Name      string     `json:"name"`
	Arguments *string    `json:"arguments"`
	Output    *string    `json:"output"`
}

type sentPart struct {
	Type     string  `json:"type"`
	Text     *string `json:"text"`
	ImageURL *string `json:"image_url"`

	Audio      *string `json:"audio"`
	Transcript *string `json:"transcript"`
}

// readSound decodes what a client sends of sound.
func readSound(text *string, at string) ([]byte, error) {
	if text == nil {
		return nil, broken(at, "required", "is required")
	}
	raw, err := base64.StdEncoding.DecodeString(*text)
	if err != nil {
		return nil, broken(at, "format", "must be base64")
	}
	return raw, nil
}

const (
	contentMax = 64
	callIDMax  = 256
)

func (s shape) readItem(raw json.RawMessage, at string) (realtime.Item, error) {
	var in sentItem
	if err := decode(raw, &in, at, false); err != nil {
		return realtime.Item{}, err
	}
	item := realtime.Item{ID: in.ID, Object: "realtime.item", Type: in.Type, Status: realtime.Completed}
	if in.ID != "" && !nameForm.MatchString(in.ID) {
		return item, broken(at+"/id", "pattern", "must be at most 64 letters, digits, _ and -")
	}
	switch in.Type {
	case realtime.Message:
		return in.message(item, at)
	case realtime.FunctionCall:
		return in.call(item, at)
	case realtime.FunctionOutput:
		return in.result(item, at)
	}
	return item, broken(at+"/type", "enum", "must be message, function_call or function_call_output")
}

func (in sentItem) call(item realtime.Item, at string) (realtime.Item, error) {
	switch {
	case !nameForm.MatchString(in.Name):
		return item, broken(at+"/name", "required", "must be the name of a function")
	case in.Arguments == nil:
		return item, broken(at+"/arguments", "required", "is required")
	case len(in.CallID) > callIDMax:
		return item, broken(at+"/call_id", "maxLength", "must have at most 256 bytes")
	}
	item.Name, item.CallID, item.Arguments = in.Name, in.CallID, in.Arguments
	if item.CallID == "" {
		item.CallID = id.New("call_")
	}
	return item, nil
}

func (in sentItem) result(item realtime.Item, at string) (realtime.Item, error) {
	switch {
	case in.CallID == "" || len(in.CallID) > callIDMax:
		return item, broken(at+"/call_id", "required", "is required, with at most 256 bytes")
	case in.Output == nil:
		return item, broken(at+"/output", "required", "is required")
	}
	item.CallID, item.Output = in.CallID, in.Output
	return item, nil
}

// saidBy are the types of parts that a role may say, and what they are kept as.
var saidBy = map[string]map[string]string{
	"system":    {"input_text": realtime.InputText, "text": realtime.InputText},
	"user":      {"input_text": realtime.InputText, "text": realtime.InputText, "input_image": realtime.InputImage, "input_audio": realtime.InputAudio},
	"assistant": {"output_text": realtime.OutputText, "text": realtime.OutputText, "output_audio": realtime.OutputText, "audio": realtime.OutputText},
}

func (in sentItem) message(item realtime.Item, at string) (realtime.Item, error) {
	kinds := saidBy[in.Role]
	switch {
	case kinds == nil:
		return item, broken(at+"/role", "enum", "must be system, user or assistant")
	case len(in.Content) == 0:
		return item, broken(at+"/content", "required", "is required")
	case len(in.Content) > contentMax:
		return item, broken(at+"/content", "maxItems", "must have at most 64 items")
	}
	item.Role = in.Role
	for i, p := range in.Content {
		place := at + "/content/" + strconv.Itoa(i)
		part := realtime.Part{Type: kinds[p.Type], Text: p.Text}
		switch {
		case part.Type == realtime.InputAudio:
			raw, err := readSound(p.Audio, place+"/audio")
			if err != nil {
				return item, err
			}
			part = realtime.Part{Type: realtime.InputAudio}.WithSound(raw)
		case strings.HasSuffix(p.Type, "audio") && part.Type != "":
			if p.Transcript == nil {
				return item, broken(place+"/transcript", "required", "is required")
			}
			part.Text = p.Transcript // what is not spoken is a text
		case part.Type == "":
			return item, broken(place+"/type", "enum", "is no part of a message of this role")
		case part.Type == realtime.InputImage:
			if p.ImageURL == nil || !strings.HasPrefix(*p.ImageURL, "data:image/") {
				return item, broken(place+"/image_url", "required", "must be a data URL of a picture")
			}
			part.Text, part.ImageURL = nil, p.ImageURL
		case p.Text == nil:
			return item, broken(place+"/text", "required", "is required")
		}
		item.Content = append(item.Content, part)
	}
	return item, nil
}

// sentAsk is what response.create says beside the settings that it overrides.
type sentAsk struct {
	Conversation string            `json:"conversation"`
	Input        []json.RawMessage `json:"input"`
	Metadata     json.RawMessage   `json:"metadata"`
	Instructions *string           `json:"instructions"`
	Maximum      json.RawMessage   `json:"max_output_tokens"`
	MaximumBeta  json.RawMessage   `json:"max_response_output_tokens"`
	Modalities   []string          `json:"output_modalities"`
	InBeta       []string          `json:"modalities"`
	Tools        *[]tool           `json:"tools"`
	ToolChoice   json.RawMessage   `json:"tool_choice"`
	Temperature  *float64          `json:"temperature"`
}

const (
	inputMax         = 200
	metadataBytesMax = 16 << 10
)

func (s shape) readAsk(raw json.RawMessage) (realtime.Ask, error) {
	var in sentAsk
	if !isGiven(raw) {
		return realtime.Ask{}, nil
	}
	if err := decode(raw, &in, "response", false); err != nil {
		return realtime.Ask{}, err
	}
	ask := realtime.Ask{OutOfBand: in.Conversation == "none"}
	switch {
	case in.Conversation != "" && in.Conversation != "auto" && !ask.OutOfBand:
		return ask, broken("response/conversation", "enum", "must be auto or none")
	case isGiven(in.Metadata) && (in.Metadata[0] != '{' || len(in.Metadata) > metadataBytesMax):
		return ask, broken("response/metadata", "type", "must be an object of at most 16384 bytes")
	case len(in.Input) > inputMax:
		return ask, broken("response/input", "maxItems", "must have at most 200 items")
	}
	if isGiven(in.Metadata) {
		ask.Metadata = in.Metadata
	}
	if err := s.readOverrides(in, &ask); err != nil {
		return ask, err
	}
	if in.Input == nil {
		return ask, nil
	}
	ask.Input = make([]realtime.Input, len(in.Input))
	for i, one := range in.Input {
		var reference struct {
			Type string `json:"type"`
			ID   string `json:"id"`
		}
		if json.Unmarshal(one, &reference) == nil && reference.Type == "item_reference" {
			ask.Input[i].Reference = reference.ID
			continue
		}
		item, err := s.readItem(one, "response/input/"+strconv.Itoa(i))
		if err != nil {
			return ask, err
		}
		if slices.ContainsFunc(item.Content, func(p realtime.Part) bool { return p.Type == realtime.InputAudio }) {
			return ask, broken("response/input/"+strconv.Itoa(i), "enum", "must be in words; make an item of sound and refer to it")
		}
		ask.Input[i].Item = &item
	}
	return ask, nil
}

// readOverrides checks what an answer is to have in place of the session's settings.
func (s shape) readOverrides(in sentAsk, ask *realtime.Ask) error {
	c := change{
		instructions: in.Instructions, modalities: in.Modalities, tools: in.Tools, toolChoice: in.ToolChoice, maxOutputTokens: in.Maximum,
		temperature: in.Temperature, modalitiesMember: "output_modalities", maximumMember: "max_output_tokens",
	}
	if s == beta {
		c.modalities, c.modalitiesMember = in.InBeta, "modalities"
		if isGiven(in.MaximumBeta) {
			c.maxOutputTokens, c.maximumMember = in.MaximumBeta, "max_response_output_tokens"
		}
	}
	checked, err := c.apply(realtime.Settings{}, "response")
	if err != nil {
		return err
	}
	ask.Modalities = checked.Modalities
	ask.Instructions, ask.ToolChoice, ask.Temperature = in.Instructions, checked.ToolChoice, checked.Temperature
	if in.Tools != nil {
		ask.Tools = &checked.Tools
	}
	if isGiven(c.maxOutputTokens) {
		ask.MaxOutputTokens = &checked.MaxOutputTokens
	}
	return nil
}
