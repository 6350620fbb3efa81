package platform

import (
	"context"

	gen "parley/gen/platform"
	"parley/impl/core/fault"
	"parley/impl/core/health"
)

type probes struct {
	ready  func(context.Context) error
	status func(context.Context) health.Status
}

// GetHealth tells that the process lives; it looks at nothing else.
func (p probes) GetHealth(context.Context, gen.GetHealthRequestObject) (gen.GetHealthResponseObject, error) {
	return gen.GetHealth200JSONResponse{Status: gen.HealthStatusOk}, nil
}

// GetReadiness tells whether the server can serve.
func (p probes) GetReadiness(ctx context.Context, _ gen.GetReadinessRequestObject) (gen.GetReadinessResponseObject, error) {
	if err := p.ready(ctx); err != nil {
		return nil, fault.New(fault.Unavailable, "The server cannot serve now.").Because(err)
	}
	return gen.GetReadiness200JSONResponse{Status: gen.ReadinessStatusReady}, nil
}

// GetStatus tells what works.
func (p probes) GetStatus(ctx context.Context, _ gen.GetStatusRequestObject) (gen.GetStatusResponseObject, error) {
	s := p.status(ctx)
	out := gen.GetStatus200JSONResponse{Status: gen.ServiceStatusStatus(s.State), CheckedAt: s.CheckedAt}
	for _, part := range s.Parts {
		out.Components = append(out.Components, gen.ComponentStatus{Name: gen.ComponentStatusName(part.Name), Status: gen.ComponentStatusStatus(part.State)})
	}
	return out, nil
}
