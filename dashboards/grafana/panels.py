"""What our boards are made of: a few kinds of panels that look alike on every board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, AMBER, RED, BLUE, GREY = "#3f9d6b", "#e0a030", "#d1495b", "#3d7ea6", "#9aa5b1"
COLORS = {"allow": GREEN, "flag": AMBER, "veto": RED, "unscored": GREY, "up": GREEN, "down": RED}
"""The colour of a series that is named so, on every board."""

WIDTH = 24
HEIGHT = 8
NUMBER_HEIGHT = 4

Panel = Builder[model.Panel]
Queries = Mapping[str, str]
"""Expressions by what the legend says, such as `{{model}}`."""


def board(
    name: str, title: str, text: str, *, panels: Sequence[Panel], choices: Sequence[str] = ()
) -> model.Dashboard:
    """A board of panels in their order; `choices` are labels that a viewer may narrow it to."""
    built = (
        dashboard.Dashboard(title)
        .uid(f"fairlead-{name}")
        .description(text)
        .tags(["fairlead"])
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Source").type("prometheus")
        )
        .link(
            dashboard.DashboardLink("Fairlead")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["fairlead"])
            .as_dropdown(as_dropdown=True)
            .keep_time(keep_time=True)
        )
    )
    for label in choices:
        built = built.with_variable(_choice(label))
    for number, panel in enumerate(panels, start=1):
        built = built.with_panel(_Numbered(panel, number))
    return built.build()


class _Numbered(Builder[model.Panel]):
    """A panel with an id, which Grafana would otherwise give anew each time."""

    def __init__(self, panel: Panel, number: int) -> None:
        self._panel = panel
        self._number = number

    def build(self) -> model.Panel:
        """The panel."""
        built = self._panel.build()
        built.id_val = self._number
        return built


def _choice(label: str) -> dashboard.QueryVariable:
    metric = {"scorer": "fairlead_risk_count"}.get(label, "fairlead_requests_total")
    return (
        dashboard.QueryVariable(label)
        .label(label.capitalize())
        .datasource(DATASOURCE)
        .query(f"label_values({metric}, {label})")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(".*" if label != "scorer" else "")
        .current(model.VariableOption(selected=True, text="All", value="$__all"))
    )


def number(
    title: str,
    text: str,
    expr: str,
    *,
    unit: str = "short",
    span: int = 4,
    steps: Sequence[tuple[float, str]] = (),
    legend: str = "",
) -> Panel:
    """One figure, now, with its course behind it. `steps` are values from which a colour holds.

    With a `legend` the series' name is shown in the value's place.
    """
    colors = [model.Threshold(value=None, color=GREEN if steps else BLUE)]
    colors += [model.Threshold(value=value, color=color) for value, color in steps]
    built = (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(DATASOURCE)
        .with_target(_query(expr, legend, "A"))
        .unit(unit)
        .span(span)
        .height(NUMBER_HEIGHT)
        .graph_mode(look.BigValueGraphMode.AREA)
        .color_mode(look.BigValueColorMode.VALUE)
        .thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(colors))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    if legend:
        built = built.text_mode(look.BigValueTextMode.NAME)
    return built


def lines(
    title: str,
    text: str,
    queries: Queries,
    *,
    unit: str = "short",
    span: int = 12,
    is_stacked: bool = False,
    bounds: tuple[float | None, float | None] = (0, None),
) -> Panel:
    """Series over time; stacked where they are parts of a whole."""
    built = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(DATASOURCE)
        .unit(unit)
        .span(span)
        .height(HEIGHT)
        .line_width(1 if is_stacked else 2)
        .fill_opacity(60 if is_stacked else 8)
        .show_points(look.VisibilityMode.NEVER)
        .span_nulls(span_nulls=False)
        .legend(
            common.VizLegendOptions()
            .display_mode(look.LegendDisplayMode.LIST)
            .placement(look.LegendPlacement.BOTTOM)
            .show_legend(show_legend=True)
        )
        .tooltip(common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI))
    )
    low, high = bounds
    if low is not None:
        built = built.min(low)
    if high is not None:
        built = built.max(high)
    if is_stacked:
        built = built.stacking(common.StackingConfig().mode(look.StackingMode.NORMAL))
    named = {legend.strip("{}") for legend in queries}
    told = COLORS if named & {"verdict", "rating"} else {n: COLORS[n] for n in COLORS if n in named}
    for legend, color in told.items():
        fixed = {"mode": "fixed", "fixedColor": color}
        built = built.override_by_name(
            legend, [model.DynamicConfigValue(id_val="color", value=fixed)]
        )
    return _asked(built, queries)


def heat(title: str, text: str, expr: str, *, span: int = 24, repeat: str | None = None) -> Panel:
    """A histogram's buckets over time: the darker, the more fell there.

    With `repeat` it comes once for each chosen value of that label, two beside each other.
    """
    built = (
        heatmap.Panel()
        .title(title)
        .description(text)
        .datasource(DATASOURCE)
        .span(span)
        .height(HEIGHT)
        .calculate(calculate=False)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(heat_model.HeatmapColorMode.SCHEME)
            .scheme("YlOrRd")
            .scale(heat_model.HeatmapColorScale.EXPONENTIAL)
            .exponent(0.4)
            .steps(64)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .cell_gap(1)
        .y_axis(heatmap.YAxisConfig().unit("percentunit").axis_placement(look.AxisPlacement.LEFT))
        .with_target(_query(expr, "{{le}}", "A").format(PromQueryFormat.HEATMAP))
    )
    return built.repeat(repeat).repeat_direction("h").max_per_row(2) if repeat else built


def states(title: str, text: str, queries: Queries, *, span: int = 12) -> Panel:
    """What is off (0) or on (1), over time."""
    mapping = model.ValueMap(
        {
            "0": model.ValueMappingResult(text="quiet", color=GREEN, index=0),
            "1": model.ValueMappingResult(text="alarm", color=RED, index=1),
        }
    )
    built = (
        statetimeline.Panel()
        .title(title)
        .description(text)
        .datasource(DATASOURCE)
        .span(span)
        .height(HEIGHT)
        .mappings([mapping])
        .row_height(0.8)
        .show_value(look.VisibilityMode.NEVER)
    )
    return _asked(built, queries)


def _asked(panel: timeseries.Panel | statetimeline.Panel, queries: Queries) -> Panel:
    for ref, (legend, expr) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(expr, legend, ref))
    return panel


def _query(expr: str, legend: str, ref: str) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(expr)
        .legend_format(legend)
        .ref_id(ref)
        .range()
        .datasource(DATASOURCE)
    )
