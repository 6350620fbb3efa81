package platform

import (
	"context"

	gen "parley/gen/platform"
	"parley/impl/core/fault"
)

type health struct{ ready func(context.Context) error }

// GetHealth tells that the process lives; it looks at nothing else.
func (h health) GetHealth(context.Context, gen.GetHealthRequestObject) (gen.GetHealthResponseObject, error) {
	return gen.GetHealth200JSONResponse{Status: gen.HealthStatusOk}, nil
}

// GetReadiness tells whether the server can serve.
func (h health) GetReadiness(ctx context.Context, _ gen.GetReadinessRequestObject) (gen.GetReadinessResponseObject, error) {
	if err := h.ready(ctx); err != nil {
		return nil, fault.New(fault.Unavailable, "The server cannot serve now.").Because(err)
	}
	return gen.GetReadiness200JSONResponse{Status: gen.ReadinessStatusReady}, nil
}
