package tokens

import (
	"hash/maphash"
	"sync"

	"github.com/tiktoken-go/tokenizer/codec"
)

const (
	// cachedBytesMin is the length from which a count is remembered: shorter text is counted in a microsecond or two.
	cachedBytesMin = 32
	// generationMax bounds a generation of the cache; two of them take less than 2 MB.
	generationMax = 16 << 10
)

// counts remembers what texts count. A conversation is counted anew at each of
// its turns, and splitting it can cost more than all else that a turn does: 2,000
// tokens take a millisecond (BenchmarkCountAgain). It keeps no text, only hashes that nobody can aim at,
// because their seed is the process's own.
var counts = cache{seed: maphash.MakeSeed(), young: map[counted]int32{}}

// counted names a text and the vocabulary that it was counted by.
type counted struct {
	hash uint64
	old  bool
}

// cache forgets the older generation when the younger is full.
type cache struct {
	seed maphash.Seed

	mu         sync.Mutex
	young, old map[counted]int32
}

// count is what c makes of text, from memory when it was counted lately.
func (m *cache) count(c *codec.Codec, old bool, text string) int {
	if len(text) < cachedBytesMin {
		return count(c, text)
	}
	key := counted{hash: maphash.String(m.seed, text), old: old}
	if n, ok := m.find(key); ok {
		return n
	}
	n := count(c, text)
	m.add(key, n)
	return n
}

func (m *cache) find(key counted) (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n, ok := m.young[key]; ok {
		return int(n), true
	}
	n, ok := m.old[key]
	if ok {
		m.put(key, n)
	}
	return int(n), ok
}

func (m *cache) add(key counted, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, int32(n))
}

// put needs m.mu.
func (m *cache) put(key counted, n int32) {
	if len(m.young) >= generationMax {
		m.old, m.young = m.young, make(map[counted]int32, generationMax)
	}
	m.young[key] = n
}
