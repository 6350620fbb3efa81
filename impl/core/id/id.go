// Package id mints identifiers: a prefix that names the noun, then 26
// characters that sort by time (56 bits of microseconds, 72 random bits).
package id

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"sync/atomic"
	"time"
)

// The prefixes, one a noun.
const (
	Account      = "acct_"
	App          = "app_"
	Key          = "key_"
	Client       = "client_" // of OAuth
	User         = "user_"
	Visitor      = "anon_" // an end user whom nobody named
	Agent        = "agent_"
	Conversation = "conv_"
	Session      = "sess_"
	Message      = "msg_"
	Model        = "model_"
	Provider     = "prov_"
	Turn         = "turn_"
	Entry        = "entry_" // of the ledger
	Budget       = "budget_"
	Request      = "req_"
	Job          = "job_"
	Event        = "evt_"
	Webhook      = "hook_"
	Delivery     = "dlv_"
	Export       = "export_"
	Erasure      = "erasure_"
	Audit        = "audit_"
	Collection   = "col_" // of knowledge
	Source       = "src_"
	Page         = "page_"
	Image        = "img_"
	Tool         = "tool_"
)

// Crockford's alphabet in lower case keeps the order of the bytes.
var encoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// last is the stamp of the latest identifier.
var last atomic.Int64

// stamp is the time in microseconds, or just after the latest stamp: what one
// server mints later also sorts later, however fast it is.
func stamp() int64 {
	for {
		before, now := last.Load(), time.Now().UnixMicro()
		now = max(now, before+1)
		if last.CompareAndSwap(before, now) {
			return now
		}
	}
}

// New returns a fresh identifier under prefix. Those of one server sort in the
// order of their minting; those of several by their clocks.
func New(prefix string) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(stamp())<<8)
	_, _ = rand.Read(raw[7:]) // never fails: crypto/rand ends the process instead
	return prefix + encoding.EncodeToString(raw[:])
}

// From is the least identifier under prefix that can be minted at a time: what
// was minted before sorts before it.
func From(prefix string, at time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(max(0, at.UnixMicro()))<<8)
	return prefix + encoding.EncodeToString(raw[:])
}
