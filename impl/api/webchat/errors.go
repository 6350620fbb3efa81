package webchat

import (
	"encoding/json"
	"net/http"

	gen "parley/gen/webchat"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// writeFault is the one place where this surface's errors get their shape:
// {"success": false, "error": text}.
func writeFault(_ *http.Request, f *fault.Error) (int, string, []byte) {
	body, err := json.Marshal(toAPIWebchatError(f.Message))
	if err != nil {
		panic(err) // a struct of a bool and a string always encodes
	}
	return httpd.Status(f.Kind), "application/json", body
}

func toAPIWebchatError(message string) gen.WebchatError {
	return gen.WebchatError{Success: gen.WebchatErrorSuccessFalse, Error: message}
}
