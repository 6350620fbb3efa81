package db

import (
	"context"
	"errors"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// together begins the name of statements that requests share; their spans tell how long one waited for its part.
const together = "together "

// spanOf begins a span for a statement of a traced request; nil without a trace.
// The statement's text has no values: those are its parameters, which are not told.
func spanOf(ctx context.Context, sql string) trace.Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.SpanContext().IsSampled() {
		return nil
	}
	text := strings.Join(strings.Fields(sql), " ")
	verb, _, _ := strings.Cut(text, " ")
	_, span := parent.TracerProvider().Tracer("parley").Start(ctx, "SQL "+verb, trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.String("db.system.name", "postgresql"), attribute.String("db.query.text", text)))
	return span
}

// endSpan ends what spanOf began. The driver's words can hold values, so only the kind of error is told.
func endSpan(span trace.Span, err error) {
	if span == nil {
		return
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		span.SetStatus(codes.Error, "the statement failed")
	}
	span.End()
}
