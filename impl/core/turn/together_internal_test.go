package turn

import (
	"iter"
	"testing"
)

// Frames that are there together say so, so that they are sent together; the last one before a reader has to wait
// never does, also when the events behind it have nothing to show.
func TestFramesTellWhetherTheNextIsThere(t *testing.T) {
	t.Parallel()
	enc := encoding{encoder: func(_ View, e Event) []Frame {
		switch e.Kind {
		case Delta:
			return []Frame{{Data: e.Text}}
		case Completed:
			return []Frame{{Data: "last"}, {Data: "done"}}
		}
		return nil // a surface that shows no thoughts
	}}
	steps := func(yield func(step, error) bool) {
		for _, s := range []step{
			{Event{N: 1, Kind: Delta, Text: "a"}, true}, {Event{N: 2, Kind: Delta, Text: "b"}, true}, {Event{N: 3, Kind: Thought}, false},
			{Event{N: 4, Kind: Thought}, false}, {Event{N: 5, Kind: Delta, Text: "c"}, false}, {Event{N: 6, Kind: Completed}, false},
		} {
			if !yield(s, nil) {
				return
			}
		}
	}
	for after, want := range map[int64]string{0: "a+b c last+done ", 1: "b c last+done ", 5: "last+done ", 9: "last+done "} {
		if got := spelled(enc.frames(steps, after, new(gathered))); got != want {
			t.Errorf("after %d: %q, want %q", after, got, want)
		}
	}
}

// spelled writes "+" between frames that may be sent together.
func spelled(frames iter.Seq2[Frame, error]) string {
	out := ""
	for f, err := range frames {
		if err != nil {
			return err.Error()
		}
		out += f.Data.(string)
		if f.More {
			out += "+"
		} else {
			out += " "
		}
	}
	return out
}
