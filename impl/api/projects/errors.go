package projects

import (
	"encoding/json"
	"net/http"

	gen "parley/gen/projects"
	"parley/impl/core/fault"
	"parley/impl/httpd"
)

// codeNotImplemented is the code of faults that are 501 here.
const codeNotImplemented = "not_implemented"

// writeFault is the one place where this surface's errors get their shape. No
// funds are 429 there, and words of their clients' tests stay.
func (b base) writeFault(r *http.Request, f *fault.Error) (int, string, []byte) {
	data := toAPIProjectsErrorData(f)
	body, err := json.Marshal(gen.ProjectsError{Data: data, Status: "error", URL: b.of(r) + r.URL.EscapedPath()})
	if err != nil {
		panic(err) // a struct of strings and a number always encodes
	}
	return int(data.Code), "application/json", body
}

func toAPIProjectsErrorData(f *fault.Error) gen.ProjectsErrorData {
	status, message := httpd.Status(f.Kind), f.Message
	switch {
	case f.Code == codeNotImplemented:
		status = http.StatusNotImplemented
	case f.Kind == fault.Unauthenticated:
		message = "API Token is either missing or invalid"
	case f.Kind == fault.NoFunds:
		status, message = http.StatusTooManyRequests, "Query credits exhausted: "+f.Message
	}
	return gen.ProjectsErrorData{Code: int32(status), Message: message}
}
