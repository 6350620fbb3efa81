package turn

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traceOf is ctx within the trace of the request that begins a turn.
func traceOf(request, ctx context.Context) context.Context {
	return trace.ContextWithSpan(ctx, trace.SpanFromContext(request))
}

// trace begins the span of the turn, which statements and calls of the provider
// belong to from then on, and returns what ends it. It outlasts the request's when the client leaves.
func (r *run) trace() (end func()) {
	parent := trace.SpanFromContext(r.ctx)
	if !parent.SpanContext().IsSampled() {
		return func() {}
	}
	ctx, span := parent.TracerProvider().Tracer("parley").Start(r.ctx, "turn", trace.WithAttributes(
		attribute.String("parley.turn", r.turn.ID), attribute.String("parley.account", r.turn.AccountID), attribute.String("parley.surface", r.turn.Surface)))
	r.ctx = ctx
	return func() {
		span.SetAttributes(attribute.String("parley.model", r.turn.ModelID), attribute.String("parley.outcome", r.turn.State),
			attribute.Int64("gen_ai.usage.input_tokens", r.turn.InputTokens), attribute.Int64("gen_ai.usage.output_tokens", r.turn.OutputTokens),
			attribute.Int64("parley.cost_micros", r.turn.CostMicros))
		if kind := r.turn.FailureKind; kind != nil {
			span.SetStatus(codes.Error, *kind)
		}
		span.End()
	}
}
