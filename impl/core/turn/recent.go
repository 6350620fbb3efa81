package turn

import (
	"sync"
	"time"

	"parley/db"
)

const (
	// recentFor is how long a turn whose text is not stored can be resumed after
	// its end, so that a connection cut shortly before does not cost the answer.
	recentFor = time.Minute
	// recentBytesMax bounds what is held in memory for that; the oldest go first.
	recentBytesMax = 4 << 20
)

// recent are this server's turns that are not stored and ended lately, the
// oldest first. The zero value is ready for use.
type recent struct {
	mu    sync.Mutex
	turns []ended
	bytes int
}

type ended struct {
	*Live
	accountID string
	at        time.Time
	bytes     int
}

func (r *recent) add(accountID string, live *Live, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := ended{Live: live, accountID: accountID, at: now, bytes: int(live.size())}
	r.turns, r.bytes = append(r.turns, e), r.bytes+e.bytes
	r.forget(now)
}

// sweep drops what is too old.
func (r *recent) sweep(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
}

// forget drops what is too old or too much.
func (r *recent) forget(now time.Time) {
	n := 0
	for n < len(r.turns) && (r.bytes > recentBytesMax || now.Sub(r.turns[n].at) >= recentFor) {
		r.bytes -= r.turns[n].bytes
		r.turns[n] = ended{}
		n++
	}
	r.turns = r.turns[n:]
}

func (r *recent) find(t db.Turn, now time.Time) *Live {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget(now)
	for _, e := range r.turns {
		if e.accountID == t.AccountID && e.ID == t.ID {
			return e.Live
		}
	}
	return nil
}
