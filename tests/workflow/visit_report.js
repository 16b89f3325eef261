// Put into a copy of Snakemake's report, first of its scripts: opens every result as a reader would, by clicking, and writes what
// was shown, and every error, into the page as JSON.
(() => {  // its names are its own
    const visited = { shown: [], errors: [] };
    const note = (what) => visited.errors.push(String(what));
    window.addEventListener("error", (event) => note(event.message || `cannot load ${event.target.src || event.target.href}`), true);
    window.addEventListener("unhandledrejection", (event) => note(event.reason));
    const logged = console.error;
    console.error = (...words) => { note(words.join(" ")); logged(...words); };

    const pause = (ms) => new Promise((done) => setTimeout(done, ms));
    // what the page's own scripts have yet to draw; undefined if they do not within ten seconds
    async function drawn(find) {
        for (let waited = 0; !find() && waited < 100; waited++) await pause(100);
        return find();
    }
    const link = (text) => [...document.querySelectorAll("nav a")].find((a) => a.textContent.trim() === text);

    async function open_results() {
        for (const row of document.querySelectorAll("nav tbody tr")) {
            const view = row.querySelector("td:last-child a");
            if (!view) continue;
            const name = row.textContent.trim();
            view.click();
            await pause(100);
            const image = document.querySelector("div.p-3 > img");
            for (let waited = 0; image && !image.complete && waited < 50; waited++) await pause(100);
            const place = image ? image.getBoundingClientRect() : { width: 0, height: 0 };
            visited.shown.push({ name, pixels: image ? image.naturalWidth : 0, width: place.width, height: place.height });
        }
    }

    async function open_all() {
        const names = Object.keys(categories);
        for (const name of names) {
            const home = await drawn(() => document.querySelectorAll("nav a")[1]);
            if (!home) { note("there is no menu"); return; }
            home.click();
            const entry = await drawn(() => link(names.length === 1 ? "Results" : name));
            if (!entry) { note(`no entry for ${name} in the menu`); continue; }
            entry.click();
            await pause(100);
            await open_results();
        }
        visited.results = Object.entries(results).map(([path, result]) => ({ path, caption: result.caption }));
    }

    window.addEventListener("load", async () => {
        await open_all().catch(note);
        const said = document.createElement("pre");
        said.id = "visited";
        said.textContent = JSON.stringify(visited);
        document.body.appendChild(said);
    });
})();
