package realtime

import (
	"context"
	"slices"
	"strings"

	"parley/impl/core/fault"
)

// TruncateItem cuts what the assistant said to what was heard of it. Of sound the
// transcript is cut in proportion, at the end of a word. A text has no length
// in time, so nothing of it can be heard but all or nothing: only 0 cuts it.
func (s *Session) TruncateItem(ctx context.Context, itemID string, part, audioEndMs int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.index(itemID)
	switch {
	case i < 0:
		return errNoItem
	case s.entries[i].Role != "assistant" || s.entries[i].Status == InProgress:
		return about(fault.New(fault.Invalid, "Only messages of the assistant that have ended can be truncated.").Coded("invalid_value"), "item_id")
	case part < 0 || part >= len(s.entries[i].Content):
		return about(fault.New(fault.Invalid, "The item has no such part.").Coded("invalid_value"), "content_index")
	}
	cut := s.entries[i].Item
	cut.Content = slices.Clone(cut.Content)
	if err := cut.Content[part].truncate(audioEndMs); err != nil {
		return err
	}
	if err := s.replaceItem(ctx, i, cut); err != nil {
		return err
	}
	s.send(Event{Type: ItemTruncated, ItemID: itemID, Content: part, AudioMs: audioEndMs})
	return nil
}

func (p *Part) truncate(ms int) error {
	none := ""
	switch {
	case p.Type == OutputAudio && (ms < 0 || ms > p.DurationMs):
		return about(fault.New(fault.Invalid, "The sound lasts %d ms.", p.DurationMs).Coded("invalid_value"), "audio_end_ms")
	case p.Type == OutputAudio:
		heard := heardOf(*p.Transcript, ms, p.DurationMs)
		p.Transcript, p.DurationMs = &heard, ms
	case ms != 0:
		return about(fault.New(fault.Invalid, "The part is a text, which has no length in time: only 0 truncates it.").Coded("invalid_value"), "audio_end_ms")
	default:
		p.Text = &none
	}
	return nil
}

// heardOf is the beginning of a text of which so much was heard.
func heardOf(text string, ms, of int) string {
	if ms >= of {
		return text
	}
	runes := []rune(text)
	beginning := string(runes[:len(runes)*ms/of])
	if end := strings.LastIndexAny(beginning, " \n"); end >= 0 {
		return beginning[:end]
	}
	return ""
}
