"""The report page in a real browser, by mouse, finger and key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from moosnn.__main__ import main
from moosnn.pareto.front import front_of
from moosnn.pareto.hypervolume import hypervolume, hypervolume_trace
from moosnn.runtime.record import read_record
from moosnn.tracking.page.data import Source, page_data
from moosnn.tracking.progress import Follower
from tests.browser.conftest import PHONE, settle
from tests.browser.sample import OBJECTIVES, losses_of, page_of, sample

pytestmark = pytest.mark.browser


def dimmed(page, chart, kind):
    """The opacities of a kind's points in a chart, by trial."""
    return page.evaluate(
        """([id, kind]) => {
            const trace = document.getElementById(id).data.find((t) => t.name === kind);
            const { opacity } = trace.marker;
            const of = (k) => (Array.isArray(opacity) ? opacity[k] : opacity);
            return trace.customdata.map((row, k) => [row, of(k)]);
        }""",
        [chart, kind],
    )


def ringed(page, chart="front-chart"):
    """Where the ring around the selected trial is."""
    return page.evaluate(
        """(id) => {
            const { data } = document.getElementById(id);
            const ring = data.find((t) => t.name === "selected");
            return ring ? [ring.x[0], ring.y[0]] : null;
        }""",
        chart,
    )


def point_on_screen(page, chart, kind, k):
    """The middle of the k-th point of a kind, after it was scrolled to."""
    page.locator(f"#{chart}").scroll_into_view_if_needed()
    names = page.evaluate(
        """(id) => document.getElementById(id)._fullData
            .filter((t) => t.type === "scatter" && t.visible === true)
            .map((t) => t.name)""",
        chart,
    )
    trace = page.locator(f"#{chart} .scatterlayer .trace").nth(names.index(kind))
    box = trace.locator("path.point").nth(k).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_hovering_over_a_trial_shows_its_numbers_and_parameters(opened):
    study = sample()
    page = opened(page_of(study))
    page.mouse.move(*point_on_screen(page, "front-chart", "on the front", 0))
    shown = page.locator("#front-chart .hoverlayer .hovertext").first.text_content()
    row = dimmed(page, "front-chart", "on the front")[0][0]
    assert f"trial {row}" in shown
    assert f"width = {study['trials']['params']['width'][row]}" in shown
    assert "spikes per sample" in shown


def test_a_click_selects_a_trial_in_every_chart(opened):
    study = sample()
    page = opened(page_of(study))
    row = dimmed(page, "front-chart", "on the front")[2][0]
    page.mouse.click(*point_on_screen(page, "front-chart", "on the front", 2))
    settle(page)
    metrics = study["trials"]["metrics"]
    place = [metrics["spikes_per_sample"][row], metrics["accuracy"][row]]
    assert ringed(page) == pytest.approx(place)
    assert page.locator("#trial .verdict").text_content().startswith(f" Trial {row}:")
    assert page.locator(f"#member-{row}").get_attribute("aria-selected") == "true"
    assert page.locator(".parallel .chosen-line").count() == 1
    params = study["trials"]["params"]
    assert ringed(page, "map-chart") == [params["threshold"][row], params["width"][row]]
    assert ringed(page, "progress-trials")[0] == study["trials"]["ended"][row]


def test_the_selected_trial_tells_its_test_values_its_rates_and_its_spikes(opened):
    study = sample()
    page = opened(page_of(study))  # the first member is selected at the beginning
    first = study["front"][0]
    trial = page.locator("#trial")
    assert f"Trial {first}: on the front" in trial.text_content()
    assert "Retrained 4 times: 1 of them violate a constraint" in trial.text_content()
    assert "5 spikes in 4 steps" in trial.text_content()
    assert "1 of 4" in page.locator(f"#member-{first}").text_content()


def test_a_failed_trial_tells_where_its_log_is(opened):
    page = opened(page_of(sample()))
    page.fill("#trial-number", "1")
    page.press("#trial-number", "Enter")
    settle(page)
    told = page.locator("#trial-rest").text_content()
    assert "loss is NaN" in told
    assert "trials/000001/1/log.txt" in told


def test_a_brush_dims_what_lies_outside_everywhere(opened):
    study = sample()
    page = opened(page_of(study))
    axis = page.locator('.parallel .touch[data-axis="threshold"]')
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    x = box["x"] + box["width"] / 2
    page.mouse.move(x, box["y"] + box["height"] - 1)
    page.mouse.down()
    page.mouse.move(x, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    settle(page)
    low, high = page.evaluate("state.ranges.threshold")
    assert low == 0.1
    assert high == pytest.approx(1.05, abs=0.1)
    thresholds = study["trials"]["params"]["threshold"]
    for kind in ("on the front", "dominated"):
        for row, opacity in dimmed(page, "front-chart", kind):
            assert (opacity > 0.5) == (low <= thresholds[row] <= high)
    inside = sum(low <= t <= high for t in thresholds)
    assert f"{inside} of 60 trials" in page.locator("#brush-said").text_content()
    page.click("#brush-clear")
    settle(page)
    assert page.locator("#brush-said").text_content() == "Nothing is brushed."
    assert {o for _, o in dimmed(page, "front-chart", "on the front")} == {1}


def test_brushes_are_moved_with_arrow_keys(opened):
    study = sample()
    page = opened(page_of(study))
    # The axes: two objectives, the margin, width, threshold, neuron.
    handle = page.locator("#brush-5-1")
    assert handle.get_attribute("aria-label") == "neuron: at most"
    handle.focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    assert handle.get_attribute("aria-valuetext") == "plif"
    assert page.evaluate("document.activeElement.id") == "brush-5-1"
    neurons = study["trials"]["params"]["neuron"]
    kept = sum(neuron in ("lif", "plif") for neuron in neurons)
    assert f"{kept} of 60" in page.locator("#brush-said").text_content()
    page.keyboard.press("Escape")
    settle(page)
    assert page.locator("#brush-said").text_content() == "Nothing is brushed."


def test_the_table_of_members_works_by_keyboard_alone(opened):
    study = sample()
    page = opened(page_of(study))
    rows = page.locator("#members-body tbody tr")
    order = [
        int(i.removeprefix("member-"))
        for i in rows.evaluate_all("r => r.map(x => x.id)")
    ]
    assert order == study["front"]  # best in the first objective first
    rows.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    settle(page)
    assert page.evaluate("study().trials.number[state.selected]") == order[2]
    assert page.evaluate("document.activeElement.id") == f"member-{order[2]}"
    page.locator("#sort-2").press("Enter")
    settle(page)
    spikes = study["trials"]["metrics"]["spikes_per_sample"]
    order = [
        int(i.removeprefix("member-"))
        for i in rows.evaluate_all("r => r.map(x => x.id)")
    ]
    assert order == sorted(study["front"], key=lambda n: spikes[n])


def test_all_controls_have_a_name_and_the_first_tab_skips_to_the_content(opened):
    page = opened(page_of(sample(), sample(seed=1, name="runs/other")))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    nameless = page.evaluate(
        """() => [..."button,select,input,a[href],[tabindex='0']".split(",")]
            .flatMap((kind) => [...document.querySelectorAll(kind)])
            .filter((e) => !e.closest(".modebar"))
            .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim()
                || (e.labels && e.labels.length && e.labels[0].textContent.trim())))
            .map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert nameless == []


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_the_hypervolume_is_the_projects_own_at_any_reference(opened, objectives):
    study = sample(objectives=objectives, trials=50)
    page = opened(page_of(study))
    losses = losses_of(study)
    references = [o.reference for o in OBJECTIVES[:objectives]]
    for factor in (1.0, 0.7, 1.9):
        moved = [round(value * factor, 6) for value in references]
        for k, value in enumerate(moved):
            page.fill(f"#reference-{k}", str(value))
        settle(page)
        corner = np.array(
            [o.loss(v) for o, v in zip(OBJECTIVES[:objectives], moved, strict=True)]
        )
        shown = float(page.locator("#hypervolume").get_attribute("data-value"))
        assert shown == pytest.approx(hypervolume(losses, corner), rel=1e-9, abs=1e-9)
        drawn = page.evaluate(
            "traceOf(study()).filter((s) => s.losses).map((s) => s.volume)"
        )
        assert drawn == pytest.approx(
            hypervolume_trace(losses, corner).tolist(), abs=1e-9
        )


def test_the_trace_follows_a_point_that_was_measured_again(opened):
    study = sample(trials=12)
    steps = [
        [1, 0, [0.8, 100.0]],
        [2, 2, [0.9, 300.0]],
        [3, 0, [0.7, 90.0]],  # its mean after a second training
        [4, 2, None],  # silent on average
    ]
    page = opened(page_of({**study, "pooled": steps}))
    objectives = OBJECTIVES[:2]
    corner = np.array([o.loss(o.reference) for o in objectives])

    def volume(*values):
        rows = [
            [o.loss(v) for o, v in zip(objectives, row, strict=True)] for row in values
        ]
        return hypervolume(np.array(rows), corner)

    expected = [
        volume([0.8, 100.0]),
        volume([0.8, 100.0], [0.9, 300.0]),
        volume([0.7, 90.0], [0.9, 300.0]),
        volume([0.7, 90.0]),
    ]
    drawn = page.evaluate("traceOf(study()).map((s) => s.volume)")
    assert drawn == pytest.approx(expected, abs=1e-9)


def test_a_short_log_axis_is_labelled_with_whole_numbers(opened):
    """And one of six hundred decades with a few of them."""
    page = opened(page_of(sample(trials=12)))
    drawn = page.evaluate("logAxis([150, 700])")
    within = [v for v in drawn["tickvals"] if 150 <= v <= 700]
    assert within == [200, 300, 400, 500, 600, 700]
    places = [drawn["tickvals"].index(v) for v in within]
    assert [drawn["ticktext"][k] for k in places] == [str(v) for v in within]
    few = page.evaluate("logAxis([310, 420], true).tickvals")
    assert 2 <= len([v for v in few if 310 <= v <= 420]) <= 6
    same = page.evaluate("logAxis([5, 5]).tickvals")
    assert all(v > 0 for v in same)
    assert page.evaluate("logAxis([1e-300, 1e300])")["dtick"] == 75


def test_of_hundreds_of_options_some_are_labelled(opened):
    page = opened(page_of(sample(trials=40, options=[f"no{k}" for k in range(300)])))
    drawn = page.locator(".parallel .tick").all_text_contents()
    named = [text for text in drawn if text.startswith("no")]
    assert (named[0], named[-1]) == ("no0", "no299")
    assert len(named) == 16


def test_a_table_of_many_members_stays_where_it_was(opened):
    study = sample(trials=400, objectives=4)
    assert len(study["front"]) > 60
    page = opened(page_of(study))
    box = "document.querySelector('#members-body > .wide')"
    assert page.evaluate(f"{box}.scrollHeight > 1.5 * {box}.clientHeight")
    row = study["front"][50]
    page.locator(f"#member-{row}").scroll_into_view_if_needed()
    before = page.evaluate(f"{box}.scrollTop")
    assert before > 0
    page.locator(f"#member-{row}").click()
    settle(page)
    assert page.evaluate(f"{box}.scrollTop") == before
    page.fill("#trial-number", str(study["front"][0]))
    page.press("#trial-number", "Enter")
    settle(page)
    assert page.evaluate(f"{box}.scrollTop") < before  # to where the selected one is


def test_a_reference_that_is_none_is_refused_in_words(opened):
    page = opened(page_of(sample()))
    page.fill("#reference-1", "-3")
    said = page.locator("#reference-said").text_content()
    assert said.startswith("The reference of spikes per sample has to be above 0")
    assert page.locator("#reference-1").get_attribute("aria-invalid") == "true"
    page.fill("#reference-1", "20")
    settle(page)
    assert page.evaluate("state.reference") == [0.5, 20]
    page.click("#reference-own")
    settle(page)
    assert page.locator("#reference-1").input_value() == "1000"


def test_three_objectives_have_choosers_of_the_axes(opened):
    page = opened(page_of(sample(objectives=3)))
    page.select_option("#axis-x", label="energy")
    settle(page)
    titles = """(({ layout }) => [layout.xaxis.title.text, layout.yaxis.title.text])(
        document.getElementById("front-chart"))"""
    assert page.evaluate(titles) == [
        "energy (nJ), lower is better",
        "accuracy, higher is better",
    ]
    page.select_option("#axis-y", label="energy")  # the other axis gives way
    settle(page)
    assert page.evaluate(titles) == [
        "accuracy, higher is better",
        "energy (nJ), lower is better",
    ]


def test_several_studies_are_compared_and_each_can_be_opened(opened):
    studies = [sample(seed=k, trials=40, name=f"runs/s{k}") for k in range(3)]
    groups = [{"label": "a", "studies": [0, 1]}, {"label": "b", "studies": [2]}]
    page = opened(page_of(*studies, groups=groups))
    assert page.locator("#comparison-table tbody tr").count() == 3
    curves = """document.getElementById("comparison-volume").data
        .filter((t) => t.name).map((t) => [t.name, t.x.at(-1), t.y.at(-1)])"""
    corner = np.array([o.loss(o.reference) for o in OBJECTIVES[:2]])
    last = [hypervolume(losses_of(s), corner) for s in studies]
    drawn = page.evaluate(curves)
    assert [name for name, _, _ in drawn] == ["a", "b"]
    assert [y for _, _, y in drawn] == pytest.approx([(last[0] + last[1]) / 2, last[2]])
    page.select_option("#study", "2")
    settle(page)
    assert page.locator("h1").text_content() == "runs/s2"
    rows = page.locator("#members-body tbody tr")
    assert rows.count() == len(studies[2]["front"])
    page.click("#open-1")
    settle(page)
    assert page.locator("h1").text_content() == "runs/s1"
    assert page.locator("#study").input_value() == "1"


def test_a_phone_never_scrolls_sideways(opened):
    studies = [
        sample(seed=k, objectives=3, name=f"runs/a-long-name/of-a-study-{k}")
        for k in (0, 1)
    ]
    page = opened(page_of(*studies), viewport=PHONE, has_touch=True, is_mobile=True)
    widths = page.evaluate(
        "[document.documentElement.scrollWidth, document.body.scrollWidth]"
    )
    assert widths == [360, 360]
    page.locator("#member-" + str(studies[0]["front"][1])).tap()
    settle(page)
    assert (
        page.evaluate("study().trials.number[state.selected]") == studies[0]["front"][1]
    )


def test_hostile_names_and_messages_stay_text(opened):
    evil = "</script><img src=x onerror=window.pwned=1><!--"
    study = sample(name=evil, options=[evil, "\u2028\u2029", "<b>bold</b>"])
    study["config_yaml"] = evil
    study["failures"][0]["trials"][0]["message"] = evil
    study["parameters"][0]["name"] = evil
    study["trials"]["params"][evil] = study["trials"]["params"].pop("width")
    study["models"]["maps"][0]["y_parameter"] = evil
    study["timeline"]["workers"][0]["name"] = "<a href='https://example.org'>w</a>"
    page = opened(page_of(study))
    page.mouse.move(*point_on_screen(page, "front-chart", "on the front", 0))
    assert page.evaluate("window.pwned") is None
    assert page.locator("img").count() == 0
    assert page.locator("#config-body pre").nth(1).text_content() == evil
    assert page.locator("a[href^=http]").count() == 0
    assert page.locator("h1").text_content() == evil


def test_a_script_that_was_smuggled_in_does_not_run(opened):
    page = opened(page_of(sample(trials=12)))
    refused = page.evaluate(
        """() => new Promise((resolve) => {
            const refused = (event) => resolve(event.violatedDirective);
            document.addEventListener("securitypolicyviolation", refused);
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
        })"""
    )
    assert refused.startswith("script-src")
    assert page.evaluate("window.pwned") is None
    (said,) = opened.guard.said
    assert "Content Security Policy" in said
    opened.guard.said.clear()


def test_a_study_with_nothing_in_it_says_so_everywhere(opened):
    full = sample(trials=12)
    nothing = {
        **full,
        "counts": {**dict.fromkeys(full["counts"], 0), "ended": 0},
        "trials": {
            key: {name: [] for name in value}
            if isinstance(value, dict)
            else value and []
            for key, value in full["trials"].items()
        },
        "front": [],
        "hypervolume": 0.0,
        "confirmed": {},
        "importance": None,
        "models": None,
        "networks": {},
        "timeline": {**full["timeline"], "workers": []},
        "failures": [],
        "constraints": [],
        "config_yaml": "",
        "reproduce": [],
    }
    page = opened(page_of(nothing))
    assert page.locator(".chart").count() == 0
    silent = page.evaluate(
        """() => [...document.querySelectorAll("main > section:not([hidden])")]
            .filter((s) => !s.querySelector(".empty")).map((s) => s.id)"""
    )
    assert silent == []


def test_copying_the_commands(opened):
    page = opened(
        page_of(sample(trials=12)), permissions=["clipboard-read", "clipboard-write"]
    )
    page.click("#copy-commands")
    page.wait_for_selector("#told:text-is('Copied.')", state="attached")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m moosnn +experiment=nas seed=0"


def test_an_axis_of_the_models_and_the_test_values_can_be_chosen(opened):
    page = opened(page_of(sample()))
    page.select_option("#map-target", label="P(silent)")
    page.select_option("#slices-target", label="P(silent)")
    page.check("#tested")
    settle(page)
    shown = page.evaluate(
        "document.getElementById('map-chart').data[0].colorbar.title.text"
    )
    assert shown == "P(silent)"
    contour = page.evaluate(
        """document.getElementById("map-chart").data
            .filter((t) => t.type === "contour").map((t) => t.contours.start)"""
    )
    assert contour[1:] == [0.5, 0.5]
    names = page.evaluate(
        "document.getElementById('front-chart').data.map((t) => t.name)"
    )
    assert "test" in names


def test_a_real_study_and_the_volume_that_the_project_says(opened, tmp_path):
    folder = tmp_path / "study"
    words = ["+experiment=smoke", "optimizer=nsga2", "executor=inline"]
    small = ["study.budget=40", "study.confirm=1", f"study_dir={folder}"]
    assert main([*words, *small]) == 0
    record = read_record(folder)
    source = Source(
        name="runs/smoke",
        folder=folder,
        config=record.config,
        problem=record.problem,
        history=record.history,
        budget=record.budget,
    )
    page = opened(page_data([source]))
    curve = Follower.of(record.problem, record.history).curve
    drawn = page.evaluate("traceOf(study()).map((step) => step.volume)")
    assert drawn == pytest.approx([p.hypervolume for p in curve], abs=1e-6)
    for k, value in enumerate(("0.3", "2000")):
        page.fill(f"#reference-{k}", value)
    settle(page)
    moved = replace(
        record.problem,
        objectives=tuple(
            replace(objective, reference=value)
            for objective, value in zip(
                record.problem.objectives, (0.3, 2000.0), strict=True
            )
        ),
    )
    done = record.history.done
    shown = float(page.locator("#hypervolume").get_attribute("data-value"))
    assert shown == pytest.approx(front_of(moved, done).hypervolume, abs=1e-6)


@pytest.mark.parametrize("name", ["__proto__", "constructor", "toString"])
def test_a_parameter_may_be_called_like_what_every_object_has(opened, name):
    study = sample(trials=20)
    study["parameters"][1]["name"] = name
    study["models"]["slices"][0]["parameter"] = name
    study["models"]["maps"][0]["x_parameter"] = name
    params = study["trials"]["params"]
    study["trials"]["params"] = {
        name if key == "threshold" else key: values for key, values in params.items()
    }
    page = opened(page_of(study))
    assert page.evaluate("rows().length === brushed().filter(Boolean).length")
    page.locator("#brush-4-1").press("PageDown")  # two objectives, the margin, width
    settle(page)
    inside = page.evaluate("brushed().filter(Boolean).length")
    high = page.evaluate("(name) => state.ranges[name][1]", name)
    values = study["trials"]["params"][name]
    assert inside == sum(value <= high for value in values) < len(values)
    for key, expected in (("PageUp", []), ("Home", [name]), ("End", [])):
        page.locator("#brush-4-1").press(key)
        settle(page)
        assert page.evaluate("Object.keys(state.ranges)") == expected
        if expected:
            low, high = page.evaluate("(name) => state.ranges[name]", name)
            assert low == high < min(values) + 1e-9
    page.locator("#brush-4-1").press("PageDown")
    page.keyboard.press("Escape")
    settle(page)
    assert page.evaluate("Object.keys(state.ranges)") == []


def test_options_that_are_spelled_alike_stay_apart(opened):
    study = sample(trials=20, options=["1", 1, True])
    page = opened(page_of(study))
    drawn = page.evaluate("axes().find((a) => a.name === 'neuron').values")
    options = ["1", 1, True]
    values = study["trials"]["params"]["neuron"]
    expected = [
        next(k for k, o in enumerate(options) if type(o) is type(v) and o == v)
        for v in values
    ]
    assert drawn == expected


def test_nothing_is_cut_off_on_paper(opened):
    page = opened(page_of(sample()), viewport={"width": 700, "height": 1000})
    page.emulate_media(media="print")
    settle(page)
    cut = page.evaluate(
        """() => [...document.querySelectorAll(".wide, .parallel")]
            .filter((e) => e.scrollWidth > e.clientWidth + 1)
            .map((e) => [e.className, e.getAttribute("aria-label"), e.id])"""
    )
    assert cut == []
