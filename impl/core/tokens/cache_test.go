package tokens

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// What is remembered is what would be counted, by its own vocabulary, also
// after more texts than are kept and by many callers at once.
func TestARememberedCountIsTheCount(t *testing.T) {
	t.Parallel()
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for n := range generationMax {
				counts.add(counted{hash: uint64(n), old: i == 0}, n)
			}
		})
	}
	callers.Wait()
	text := strings.Repeat("Grüße an alle, 你好! ", 20)
	for _, model := range []string{"gpt-4", "gpt-4o", "gpt-4"} {
		codec := o200k()
		if model == "gpt-4" {
			codec = cl100k()
		}
		want := count(codec, text)
		for range 3 {
			if got := Count(model, text); got != want {
				t.Errorf("%s counts %d, then %d", model, want, got)
			}
		}
	}
	counts.mu.Lock()
	defer counts.mu.Unlock()
	if kept := len(counts.young) + len(counts.old); kept > 2*generationMax {
		t.Errorf("%d counts are kept", kept)
	}
}

func BenchmarkCountAgain(b *testing.B) {
	texts := make([]string, 20)
	for i := range texts {
		texts[i] = fmt.Sprint(i, strings.Repeat(" some words of a message", 20))
	}
	for _, remembered := range []bool{false, true} {
		b.Run(fmt.Sprintf("remembered=%t", remembered), func(b *testing.B) {
			for b.Loop() {
				for _, text := range texts {
					if remembered {
						Count("gpt-4o", text)
					} else {
						count(o200k(), text)
					}
				}
			}
		})
	}
}
