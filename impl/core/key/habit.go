package key

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"parley/impl/core/event"
)

// The reasons of unusual use.
const (
	NewOrigin  = "new_origin"
	NewNetwork = "new_network"
	HighRate   = "high_rate"
)

const (
	// learning is how long a key is only watched.
	learning = 24 * time.Hour
	// tellEvery is how often the same reason is told of a key.
	tellEvery = 24 * time.Hour
	// places bounds the origins and the networks of a habit. A key that fills
	// them is used from everywhere: nothing is told of its places.
	places = 64
	// highFactor times the usual requests of an hour are unusual, from highFloor on.
	highFactor = 10
	highFloor  = 1000
	// habitHours is how many hours of use make a habit; older ones fade.
	habitHours = 168
)

// habit is how a key is used as a rule.
type habit struct {
	Since    time.Time            `json:"since"`    // of its first use
	Origins  []string             `json:"origins"`  // the latest last, as are the networks
	Networks []string             `json:"networks"` // of a secret key: those of a publishable one are its visitors'
	Hour     time.Time            `json:"hour"`     // that Requests are of
	Requests int64                `json:"requests"`
	Hours    int                  `json:"hours"` // of use that Usual is the mean of, without Hour
	Usual    float64              `json:"usual"` // requests of an hour in which the key is used
	Told     map[string]time.Time `json:"told"`  // by reason
}

func readHabit(text string) (habit, error) {
	var h habit
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return habit{}, fmt.Errorf("read habit of key: %w", err)
	}
	return h, nil
}

func (h *habit) text() (string, error) {
	text, err := json.Marshal(h)
	return string(text), err
}

// add adds use to the habit and returns what of it was unusual.
func (h *habit) add(t *tally, now time.Time) []event.UnusualUse {
	if h.Since.IsZero() {
		h.Since, h.Told = now, map[string]time.Time{}
	}
	h.count(t.requests, now)
	var unusual []event.UnusualUse
	note := func(u event.UnusualUse) {
		if last, told := h.Told[u.Reason]; now.Sub(h.Since) < learning || told && now.Sub(last) < tellEvery {
			return
		}
		h.Told[u.Reason] = now
		unusual = append(unusual, u)
	}
	for _, text := range byText(t.origins) {
		if origin, err := normalOrigin(text); err == nil && remember(&h.Origins, origin) {
			note(event.UnusualUse{Reason: NewOrigin, Place: origin})
		}
	}
	for _, address := range byText(t.networks) {
		if network := networkOf(address); t.kind == Secret && network != "" && remember(&h.Networks, network) {
			note(event.UnusualUse{Reason: NewNetwork, Place: network})
		}
	}
	if h.Hours > 0 && h.Requests >= highFloor && float64(h.Requests) > highFactor*h.Usual {
		note(event.UnusualUse{Reason: HighRate, Requests: h.Requests, Usual: int64(h.Usual + 0.5)})
	}
	return unusual
}

// count adds requests to the hour. Hours without use say nothing of how a key
// is used: one that works for an hour each night is not unusual then.
func (h *habit) count(requests int64, now time.Time) {
	if hour := now.UTC().Truncate(time.Hour); !hour.Equal(h.Hour) {
		if h.Requests > 0 {
			h.Hours = min(h.Hours+1, habitHours)
			h.Usual += (float64(h.Requests) - h.Usual) / float64(h.Hours)
		}
		h.Hour, h.Requests = hour, 0
	}
	h.Requests += requests
}

// remember makes a place the latest of those known and tells whether it is new
// to a key that has places of its own. The oldest one is forgotten.
func remember(known *[]string, place string) bool {
	at := slices.Index(*known, place)
	crowded := len(*known) >= places
	if at >= 0 {
		*known = slices.Delete(*known, at, at+1)
	} else if crowded {
		*known = slices.Delete(*known, 0, 1)
	}
	*known = append(*known, place)
	return at < 0 && !crowded
}

// networkOf is the /24 of an IPv4 and the /48 of an IPv6 address; "" of anything else.
func networkOf(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	ip = ip.Unmap().WithZone("")
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	return netip.PrefixFrom(ip, bits).Masked().String()
}
