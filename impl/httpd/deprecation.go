package httpd

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// The document's extensions for operations that will go. Both are days, as 2026-11-22, and begin at midnight UTC.
const (
	extDeprecated = "x-deprecated-at" // since when it should not be used
	extSunset     = "x-sunset"        // when it may be gone
)

// deprecation is what every answer of a deprecated operation says.
type deprecation struct {
	since  string // the Deprecation header (RFC 9745)
	sunset string // the Sunset header (RFC 8594); "" for one that stays as long as its clients do
}

// readDeprecation fails on an operation that is deprecated since nobody knows when, and on days of one that is not.
func (o *operation) readDeprecation(op *openapi3.Operation) error {
	_, dated := op.Extensions[extDeprecated]
	_, ends := op.Extensions[extSunset]
	if op.Deprecated != dated || ends && !dated {
		return fmt.Errorf("deprecated goes with %s, and %s with both", extDeprecated, extSunset)
	}
	if !op.Deprecated {
		return nil
	}
	since, err := day(op.Extensions, extDeprecated)
	if err != nil {
		return err
	}
	o.deprecation = &deprecation{since: "@" + strconv.FormatInt(since.Unix(), 10)}
	if ends {
		sunset, err := day(op.Extensions, extSunset)
		if err != nil {
			return err
		}
		o.deprecation.sunset = sunset.Format(http.TimeFormat)
	}
	return nil
}

func day(ext map[string]any, name string) (time.Time, error) {
	text, _ := ext[name].(string)
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", name, err)
	}
	return at, nil
}

// tell writes the headers, on whatever the answer will be.
func (d *deprecation) tell(h http.Header) {
	if d == nil {
		return
	}
	h.Set("Deprecation", d.since)
	if d.sunset != "" {
		h.Set("Sunset", d.sunset)
	}
}
