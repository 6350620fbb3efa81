package id_test

import (
	"regexp"
	"testing"

	"parley/impl/core/id"
)

func TestIdsSortInTheOrderOfTheirMinting(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^turn_[0-9a-hjkmnp-tv-z]{26}$`)
	last := ""
	for range 100_000 {
		one := id.New(id.Turn)
		if !form.MatchString(one) || one <= last {
			t.Fatalf("minted %q after %q", one, last)
		}
		last = one
	}
}

func TestIdsNeverMeet(t *testing.T) {
	t.Parallel()
	minted := make(chan string, 40_000)
	done := make(chan struct{})
	for range 4 {
		go func() {
			for range 10_000 {
				minted <- id.New(id.Message)
			}
			done <- struct{}{}
		}()
	}
	for range 4 {
		<-done
	}
	close(minted)
	seen := map[string]bool{}
	for one := range minted {
		if seen[one] {
			t.Fatalf("minted %q twice", one)
		}
		seen[one] = true
	}
}
