package turn_test

import (
	"testing"

	"parley/db/dbtest"
	"parley/impl/core/provider/providertest"
)

// The events of few turns are stored together, those of many in turns: no statement has them all, and none is forgotten.
func TestManyTurnsTakeTurnsToBeStored(t *testing.T) {
	t.Parallel()
	d, dsn := dbtest.Own(t)
	script, gate := gated("Once")
	b := setupOn(t, d, dsn, providertest.NewScripted(script))
	in := b.input("Tell me a story")
	in.Conversation = nil
	for _, c := range []struct{ running, bound int }{{40, 40}, {200, 100}} {
		for {
			if _, all := b.engine.FlushesAtOnce(); all >= c.running {
				break
			}
			b.start(t, in)
		}
		if most, all := b.engine.FlushesAtOnce(); most > c.bound || all < c.running {
			t.Errorf("of %d turns a round stores %d, all rounds %d; want no more than %d at once", c.running, most, all, c.bound)
		}
	}
	close(gate)
}
