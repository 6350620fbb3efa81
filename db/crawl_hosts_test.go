package db_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"parley/db/dbtest"
)

func TestServersTogetherKeepTheirDistanceFromAHost(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	const distance, most = 200 * time.Millisecond, 30 * time.Second
	host, at := unique("https://"), now()
	starts := make([]time.Time, 20)
	var wg sync.WaitGroup
	for i := range starts {
		wg.Go(func() {
			start, taken, err := d.ReserveHost(t.Context(), host, at, distance, most)
			if err != nil || !taken {
				t.Errorf("taken %v, %v", taken, err)
			}
			starts[i] = start
		})
	}
	wg.Wait()
	slices.SortFunc(starts, time.Time.Compare)
	for i, start := range starts {
		if want := at.Add(time.Duration(i) * distance); !start.Equal(want) {
			t.Errorf("start %d is %s after the first, want %s", i, start.Sub(at), want.Sub(at))
		}
	}
	until := at.Add(time.Hour)
	if err := d.HoldHost(t.Context(), host, until); err != nil {
		t.Fatal(err)
	}
	if start, taken, err := d.ReserveHost(t.Context(), host, at, distance, most); err != nil || taken || !start.Equal(until) {
		t.Errorf("held: %s, %v, %v", start, taken, err)
	}
	if err := d.ForgetHosts(t.Context(), until.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if start, taken, err := d.ReserveHost(t.Context(), host, at, distance, most); err != nil || !taken || !start.Equal(at) {
		t.Errorf("forgotten: %s, %v, %v", start, taken, err)
	}
}
