// Package tracing sends what requests do, step by step, to an OpenTelemetry
// collector: the request at the edge, its statements, the answer that it began
// and the calls of the model's provider. It is off unless the standard variables
// name a collector; then they rule everything: OTEL_EXPORTER_OTLP_ENDPOINT and
// its kin, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_….
//
// Spans hold names, ids and figures. No text of a request or an answer, no
// parameter of a statement and no key ever stands in one.
package tracing

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// scope names this program's spans.
const scope = "parley"

// context of the W3C, in and out.
var propagator = propagation.TraceContext{}

// Tracing sends spans. A nil one sends none.
type Tracing struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// Wanted tells whether the environment names a collector of traces.
func Wanted() bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" || os.Getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// FromEnvironment returns the tracing that the environment asks for; nil when it
// asks for none. The collector need not be there: what it does not take is dropped.
func FromEnvironment(ctx context.Context, version string) (*Tracing, error) {
	if !Wanted() {
		return nil, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP: %w", err)
	}
	about, err := resource.New(ctx, resource.WithTelemetrySDK(),
		resource.WithAttributes(attribute.String("service.name", scope), attribute.String("service.version", version)),
		resource.WithFromEnv()) // what the operator says counts
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return &Tracing{provider: provider, tracer: provider.Tracer(scope)}, nil
}

// Close sends what is left until ctx ends.
func (t *Tracing) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// Request begins the span of a request, which continues the client's trace when
// it names one. The returned request carries it.
func (t *Tracing) Request(r *http.Request) (*http.Request, *Span) {
	if t == nil {
		return r, nil
	}
	ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", r.Method)))
	return r.WithContext(ctx), &Span{span: span}
}

// Span is one request's. A nil one does nothing.
type Span struct{ span trace.Span }

// ID is the trace's id in hexadecimal, for the access log; "" without a trace that is sent.
func (s *Span) ID() string {
	if s == nil || !s.span.SpanContext().IsSampled() {
		return ""
	}
	return s.span.SpanContext().TraceID().String()
}

// Outcome is what a request came to; empty members are left out.
type Outcome struct {
	Operation, RequestID, Turn, Account string
	Status                              int
}

// End ends the span.
func (s *Span) End(o Outcome) {
	if s == nil {
		return
	}
	s.span.SetName(o.Operation)
	s.span.SetAttributes(attribute.Int("http.response.status_code", o.Status), attribute.String("parley.request", o.RequestID))
	for key, value := range map[string]string{"parley.turn": o.Turn, "parley.account": o.Account} {
		if value != "" {
			s.span.SetAttributes(attribute.String(key, value))
		}
	}
	if o.Status >= http.StatusInternalServerError {
		s.span.SetStatus(codes.Error, http.StatusText(o.Status))
	}
	s.span.End()
}
