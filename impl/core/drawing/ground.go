package drawing

import "image/color"

func (s *sheet) beach(l hour) {
	horizon := s.h * 0.5
	s.sky(l, horizon)
	sea := darker(mix(hex(0x2f9bb5), l.low, 0.25), l.shade)
	s.wash(0, horizon, s.w, s.h-horizon, sea, lighter(sea, 0.3))
	s.DrawLine(0, horizon, s.w, horizon)
	s.stroke(ink, 3)
	for range 22 {
		x, y := s.between(0, s.w), s.between(horizon+14, s.h*0.78)
		s.MoveTo(x, y)
		s.QuadraticTo(x+14, y-8, x+28, y)
		s.QuadraticTo(x+42, y-8, x+56, y)
		s.stroke(alpha(hex(0xffffff), 180), 3)
	}
	for range max(1, s.words.count("boat", "ship", "sail", "sailboat")) {
		s.boat(s.between(s.w*0.15, s.w*0.8), horizon+s.between(10, 50), s.between(0.6, 1), l)
	}
	if s.words.any("island") {
		s.DrawEllipse(s.w*0.5, horizon+70, 150, 30)
		s.inked(darker(hex(0xf0d9a0), l.shade))
		s.palm(s.w*0.5, horizon+62, 0.8, l)
	}
	s.MoveTo(-20, s.h*0.86)
	s.CubicTo(s.w*0.3, s.h*0.7, s.w*0.6, s.h*0.92, s.w+20, s.h*0.76)
	s.LineTo(s.w+20, s.h+20)
	s.LineTo(-20, s.h+20)
	s.ClosePath()
	s.inked(darker(hex(0xf2dca6), l.shade))
	if !s.words.any("storm", "winter") {
		s.palm(s.w*0.14, s.h*0.9, 1.25, l)
		if s.words.any("palm", "tropical") || s.chance(0.5) {
			s.palm(s.w*0.86, s.h*0.88, 1, l)
		}
	}
	if s.words.any("umbrella", "parasol", "beach") && s.chance(0.6) {
		s.parasol(s.w*s.between(0.4, 0.62), s.h*0.9)
	}
}

func (s *sheet) city(l hour) {
	horizon := s.h * 0.8
	s.sky(l, horizon)
	futuristic := s.words.any("futuristic", "future", "cyberpunk", "neon", "sci", "utopian", "utopia", "alien")
	for row := range 3 {
		for x := s.between(-30, 0); x < s.w; {
			wide, high := s.between(44, 84), s.between(90, 300)*(1-float64(row)*0.24)
			base := mix(one(s, fabrics), l.low, 0.55-float64(row)*0.22)
			s.tower(x, horizon, wide, high, darker(base, l.shade), l.night || s.chance(0.3), futuristic)
			x += wide + s.between(-6, 12)
		}
	}
	s.DrawRectangle(-10, horizon, s.w+20, s.h)
	s.inked(darker(hex(0x60616e), l.shade))
	for x := 20.0; x < s.w; x += 78 {
		s.DrawRectangle(x, horizon+(s.h-horizon)*0.5-3, 42, 6)
		s.filled(hex(0xf3e9c9))
	}
	cars := max(2, s.words.count("car", "vehicle", "taxi"))
	for range cars {
		s.car(s.between(40, s.w-70), horizon+s.between(24, 40), 1, l)
	}
	if s.words.any("flying", "hover", "hovering") || futuristic && s.chance(0.6) {
		for range cars + 2 {
			s.hoverCar(s.between(50, s.w-60), s.between(60, horizon*0.66), s.between(0.7, 1.1))
		}
	}
}

// tower is a building with lit and unlit windows.
func (s *sheet) tower(x, base, wide, high float64, c color.NRGBA, lit, futuristic bool) {
	top := base - high
	if futuristic && s.chance(0.6) {
		s.MoveTo(x, base)
		s.LineTo(x, top+wide*0.5)
		s.QuadraticTo(x, top, x+wide*0.5, top-wide*0.5)
		s.QuadraticTo(x+wide, top, x+wide, top+wide*0.5)
		s.LineTo(x+wide, base)
		s.ClosePath()
		s.inked(c)
		s.DrawLine(x+wide*0.5, top-wide*0.5, x+wide*0.5, top-wide*0.5-26)
		s.stroke(ink, 4)
	} else {
		s.DrawRectangle(x, top, wide, high)
		s.inked(c)
		s.polygon(x+wide, top, x+wide, base, x+wide*0.8, base, x+wide*0.8, top)
		s.filled(alpha(ink, 45))
	}
	columns := int(wide / 18)
	gap := wide / float64(columns)
	for y := top + wide*0.5 + 4; y < base-16; y += 22 {
		for i := range columns {
			window := hex(0x2d3a54)
			if lit && s.chance(0.62) {
				window = hex(0xffdf80)
			} else if !lit {
				window = hex(0xcfe6f2)
			}
			s.DrawRectangle(x+gap*(float64(i)+0.5)-4, y, 8, 12)
			s.filled(window)
		}
	}
}

func (s *sheet) room(l hour) {
	wall := one(s, backings)
	floor := s.h * 0.72
	s.wash(0, 0, s.w, floor, lighter(wall, 0.3), lighter(wall, 0.1))
	for x := 0.0; x < s.w; x += 48 {
		s.DrawLine(x, 0, x, floor)
		s.stroke(alpha(darker(wall, 0.2), 60), 2)
	}
	s.DrawRectangle(-10, floor, s.w+20, s.h)
	s.inked(hex(0xb98a5e))
	for i := range 5 {
		y := floor + 26*float64(i+1)
		s.DrawLine(0, y, s.w, y)
		s.stroke(alpha(ink, 70), 2)
	}
	x, y := s.w*0.12, s.h*0.14
	s.Push()
	s.DrawRectangle(x, y, 150, 170)
	s.Clip()
	s.wash(x, y, 150, 170, l.top, l.low)
	s.DrawCircle(x+100, y+50, 24)
	s.filled(l.orb)
	s.DrawCircle(x+40, y+186, 80)
	s.filled(darker(hex(0x7fb069), l.shade))
	s.ResetClip()
	s.Pop()
	s.DrawRectangle(x, y, 150, 170)
	s.stroke(hex(0xfbf7ee), 12)
	s.DrawRectangle(x-6, y-6, 162, 182)
	s.DrawLine(x+75, y, x+75, y+170)
	s.stroke(ink, 4)
	s.shelf(s.w*0.56, s.h*0.16)
	s.table(s.w*0.5, floor+30)
}

func (s *sheet) shelf(x, y float64) {
	for row := range 3 {
		top := y + float64(row)*84
		for at := x; at < x+160; {
			wide, high := s.between(11, 22), s.between(44, 66)
			s.DrawRectangle(at, top+70-high, wide, high)
			s.lined(one(s, fabrics), 2.5)
			at += wide + 1
		}
		s.DrawRectangle(x-12, top+70, 196, 12)
		s.inked(hex(0x8a5a3b))
	}
}

func (s *sheet) table(x, y float64) {
	for _, side := range []float64{-1, 1} {
		s.DrawRectangle(x+side*140-8, y+10, 16, 120)
		s.inked(hex(0x6f4a33))
	}
	s.DrawRoundedRectangle(x-176, y-8, 352, 24, 8)
	s.inked(hex(0x94623f))
	s.DrawRoundedRectangle(x+60, y-48, 38, 40, 6)
	s.inked(one(s, fabrics))
	s.DrawArc(x+100, y-30, 12, -1.4, 1.4)
	s.stroke(ink, 4)
	s.cloud(x-110, y-92, 40, 8, hex(0x5c9a5a))
	s.polygon(x-134, y-58, x-86, y-58, x-94, y-8, x-126, y-8)
	s.inked(hex(0xc96f4a))
}

// shapes is what is drawn of words that name nothing drawable.
func (s *sheet) shapes(hour) {
	base := one(s, backings)
	s.wash(0, 0, s.w, s.h, lighter(base, 0.5), base)
	palette := append(append([]color.NRGBA{}, fabrics...), backings...)
	for name := range colours {
		if s.words.has(name) {
			palette = append(palette[:3], colours[name], lighter(colours[name], 0.4), darker(colours[name], 0.3))
			break
		}
	}
	for i := range 15 {
		x, y, r := s.between(40, s.w-40), s.between(40, s.h-40), s.between(26, 104)-float64(i)*1.5
		s.Push()
		s.RotateAbout(s.between(0, 6), x, y)
		switch s.dice.IntN(5) {
		case 0:
			s.DrawCircle(x, y, r)
		case 1:
			s.DrawRegularPolygon(3, x, y, r, 0)
		case 2:
			s.DrawRoundedRectangle(x-r, y-r*0.4, r*2, r*0.8, r*0.2)
		case 3:
			s.DrawArc(x, y, r, 0, 3.1415926)
			s.ClosePath()
		default:
			s.DrawRegularPolygon(6, x, y, r, 0)
		}
		s.inked(alpha(one(s, palette), 235))
		if s.chance(0.5) {
			s.DrawCircle(x, y, r*0.4)
			s.lined(one(s, palette), 3)
		}
		s.Pop()
	}
}
