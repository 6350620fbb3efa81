package httpd

import (
	"net/http"

	"parley/impl/core/fault"
)

var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.NoFunds:         http.StatusPaymentRequired,
	fault.Forbidden:       http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.NotAllowed:      http.StatusMethodNotAllowed,
	fault.Conflict:        http.StatusConflict,
	fault.UpgradeRequired: http.StatusUpgradeRequired,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unsupported:     http.StatusUnsupportedMediaType,
	fault.RateLimited:     http.StatusTooManyRequests,
	fault.Upstream:        http.StatusBadGateway,
	fault.Unavailable:     http.StatusServiceUnavailable,
	// The caller has left, or somebody cancelled the answer under it: then a retry may help.
	fault.Canceled: http.StatusServiceUnavailable,
}

// Status is the status of a kind of fault where a surface has none of its own.
func Status(k fault.Kind) int { return statuses[k] }
