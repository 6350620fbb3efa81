package engagement

import (
	"encoding/json"
	"net/http"

	gen "parley/gen/engagement"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// writeFault is the one place where this surface's errors get their shape:
// {"error": text}. A 500 is exactly {"error": "Internal error"}.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	body, err := json.Marshal(gen.EngagementError{Error: f.Message})
	if err != nil {
		panic(err) // a struct of a string always encodes
	}
	return httpd.Status(f.Kind), "application/json", body
}
