package money

import (
	"math/big"
	"strconv"
	"testing"
)

func TestCostRoundsUpToTheMicroUnit(t *testing.T) {
	cases := []struct {
		name                   string
		in, out, perIn, perOut int64
		want                   int64
	}{
		{"free model", 1000, 1000, 0, 0, 0},
		{"exact thousand", 1000, 2000, 30_000, 60_000, 150_000},
		{"one token of a cheap model still costs", 1, 0, 1, 0, 1},
		{"largest price and count do not overflow", 1_000_000_000, 0, 1_000_000_000, 0, 1_000_000_000_000_000},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Cost(c.in, c.out, c.perIn, c.perOut); got != c.want {
				t.Errorf("Cost = %d, want %d", got, c.want)
			}
		})
	}
}

// A price is never negative, never rounds down to less than it is, and never by
// a micro-unit or more up; parts never cost less than the whole.
func FuzzCost(f *testing.F) {
	f.Add(int64(1), int64(1), int64(1), int64(1))
	f.Add(int64(1_000_000_000), int64(1_000_000_000), int64(1_000_000_000), int64(1_000_000_000))
	f.Add(int64(0), int64(7), int64(333), int64(999))
	f.Fuzz(func(t *testing.T, in, out, perIn, perOut int64) {
		for _, n := range []*int64{&in, &out, &perIn, &perOut} {
			*n = int64(uint64(*n) % 1_000_000_001) // what Cost is promised
		}
		exact := new(big.Int).Add(product(in, perIn), product(out, perOut))
		cost := Cost(in, out, perIn, perOut)
		over := new(big.Int).Sub(new(big.Int).Mul(big.NewInt(cost), big.NewInt(1000)), exact)
		if cost < 0 || over.Sign() < 0 || over.Cmp(big.NewInt(1000)) >= 0 {
			t.Errorf("Cost(%d, %d, %d, %d) = %d, %s thousandths over", in, out, perIn, perOut, cost, over)
		}
		if parts := Cost(in, 0, perIn, perOut) + Cost(0, out, perIn, perOut); parts < cost {
			t.Errorf("parts cost %d, the whole %d", parts, cost)
		}
	})
}

func product(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }

func TestDecimalIsExactToTheMicroUnit(t *testing.T) {
	for micros, want := range map[int64]string{0: "0", 1: "1e-06", 1_500_000: "1.5", 123_456_789_012: "123456.789012"} {
		if got := strconv.FormatFloat(Decimal(micros), 'g', -1, 64); got != want {
			t.Errorf("Decimal(%d) = %s, want %s", micros, got, want)
		}
	}
}
