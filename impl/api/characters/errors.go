package characters

import (
	"encoding/json"
	"net/http"

	gen "parley/gen/characters"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// writeFault is the one place where this surface's errors get their shape:
// {"error": text}. A 500 is exactly {"error": "Internal error"} (seed 002).
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	body, err := json.Marshal(gen.CharactersError{Error: f.Message})
	if err != nil {
		panic(err) // a struct of a string always encodes
	}
	return httpd.Status(f.Kind), "application/json", body
}
