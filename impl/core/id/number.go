package id

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// lastNumber is the latest number of Number.
var lastNumber atomic.Int64

// numberEpoch is 2020-01-01 in milliseconds: numbers fit 53 bits until 2089.
const numberEpoch = 1577836800000

// Number returns a fresh identifier for surfaces whose ids are integers: 53
// bits, so that JavaScript reads it exactly, in the order of minting. Of its
// bits 41 are milliseconds and 12 random; tables hold them unique per account.
func Number() int64 {
	for {
		before := lastNumber.Load()
		n := (time.Now().UnixMilli()-numberEpoch)<<12 | rand.Int64N(1<<12)
		n = max(n, before+1)
		if lastNumber.CompareAndSwap(before, n) {
			return n
		}
	}
}

// NumberFrom is the least number that can be minted at a time.
func NumberFrom(at time.Time) int64 { return max(0, at.UnixMilli()-numberEpoch) << 12 }
