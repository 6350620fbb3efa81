package metrics_test

import (
	"testing"
	"time"

	"parley/db"
	"parley/impl/metrics"
)

// What counting a request with an answer costs in all.
func BenchmarkRequestWithAnswer(b *testing.B) {
	m := metrics.New("test")
	t, by := db.Turn{Surface: "webchat", InputTokens: 10, OutputTokens: 20, CostMicros: 30}, db.Model{ID: "tiny"}
	for b.Loop() {
		m.TurnSpoke(t, by, time.Millisecond)
		m.TurnEnded(t, by, "completed", nil, time.Millisecond)
		m.Request("sendWebchatMessage", 200, time.Millisecond, false)
	}
}
