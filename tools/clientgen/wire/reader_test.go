package wire

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestReaderAcceptsEverySpellingOfTheStandard(t *testing.T) {
	tests := []struct {
		name, stream string
		want         []Event
	}{
		{"line feeds", "event: a\ndata: 1\n\ndata: 2\n\n", []Event{{Name: "a", Data: []byte("1")}, {Name: "message", Data: []byte("2")}}},
		{"carriage returns and line feeds", "event: a\r\ndata: 1\r\n\r\n", []Event{{Name: "a", Data: []byte("1")}}},
		{"carriage returns", "event: a\rdata: 1\r\r", []Event{{Name: "a", Data: []byte("1")}}},
		{"several data lines", "data: 1\ndata:\ndata: 3\n\n", []Event{{Name: "message", Data: []byte("1\n\n3")}}},
		{"only the first space is no data", "data:  1\ndata:2\n\n", []Event{{Name: "message", Data: []byte(" 1\n2")}}},
		{"comments", ": heartbeat\n\n:\ndata: 1\n: in between\n\n", []Event{{Name: "message", Data: []byte("1")}}},
		{"fields without a colon and unknown ones", "data\nevil: x\n\n", []Event{{Name: "message"}}},
		{"a name without data is no event", "event: a\n\ndata: 1\n\n", []Event{{Name: "message", Data: []byte("1")}}},
		{"a byte order mark", "\xef\xbb\xbfdata: 1\n\n", []Event{{Name: "message", Data: []byte("1")}}},
		{"an event that nothing closes is dropped", "data: 1\n\ndata: 2\n", []Event{{Name: "message", Data: []byte("1")}}},
		{
			"id and retry last", "id: 7\nretry: 1500\ndata: 1\n\ndata: 2\n\nid\ndata: 3\n\n",
			[]Event{
				{Name: "message", ID: "7", Data: []byte("1"), Retry: 1500 * time.Millisecond},
				{Name: "message", ID: "7", Data: []byte("2"), Retry: 1500 * time.Millisecond},
				{Name: "message", Data: []byte("3"), Retry: 1500 * time.Millisecond},
			},
		},
		{"ids with NUL and retries without digits do not count", "id: a\x00b\nretry: soon\ndata: 1\n\n", []Event{{Name: "message", Data: []byte("1")}}},
		{"nothing", "", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for chunks, in := range map[string]io.Reader{
				"whole":        strings.NewReader(test.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(test.stream)),
			} {
				if got := all(t, NewReader(in)); !reflect.DeepEqual(got, test.want) {
					t.Errorf("%s: got %q, want %q", chunks, got, test.want)
				}
			}
		})
	}
}

func all(t *testing.T, r *Reader) []Event {
	t.Helper()
	var events []Event
	for {
		event, err := r.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, event)
	}
}

// A carriage return may be the first half of a line end: the reader must not
// wait for the second half before it hands out the event.
func TestReaderYieldsAnEventBeforeTheNextByte(t *testing.T) {
	in, out := io.Pipe()
	defer func() { _ = out.Close() }()
	go func() { _, _ = out.Write([]byte("data: 1\r\n\r")) }()
	event, err := NewReader(in).Next()
	if err != nil || string(event.Data) != "1" {
		t.Errorf("Next = %q, %v", event.Data, err)
	}
}

func TestReaderBoundsLinesAndEvents(t *testing.T) {
	half := "data: " + strings.Repeat("x", MaxEvent/2) + "\n"
	for name, stream := range map[string]string{
		"a line without end":        "data: " + strings.Repeat("x", MaxEvent),
		"an event of too many rows": half + half + half,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewReader(strings.NewReader(stream)).Next(); !errors.Is(err, ErrTooLong) {
				t.Errorf("error is %v, want ErrTooLong", err)
			}
		})
	}
}

func TestReaderReportsABrokenConnection(t *testing.T) {
	broken := errors.New("connection reset")
	in := io.MultiReader(strings.NewReader("data: 1\n"), iotest.ErrReader(broken))
	if _, err := NewReader(in).Next(); !errors.Is(err, broken) {
		t.Errorf("error is %v, want %v", err, broken)
	}
}

func FuzzReader(f *testing.F) {
	f.Add("event: a\r\ndata: 1\r\rid: 3\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		r := NewReader(strings.NewReader(stream))
		for range len(stream) + 1 {
			if _, err := r.Next(); err != nil {
				return
			}
		}
		t.Error("more events than bytes")
	})
}
